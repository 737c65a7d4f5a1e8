import {
  type Capabilities,
  type Delivery,
  defineTopic,
  openQueue,
  type Queue,
  type Topic,
  VirtualClock,
} from 'signalbox';
import { type FaultPlan, type FaultyDriver, faulty } from 'signalbox/conformance';
import { type MemoryDriver, type MemoryStore, memory, memoryStore } from 'signalbox/memory';
import { z } from 'zod';
import type { Driver, DriverSubscription } from '../../src/queue/driver.js';

export const jobs = defineTopic('jobs', { schema: z.object({ n: z.number() }) });
export const lines = defineTopic('lines', { schema: z.object({ n: z.number() }), ordering: 'key', lanes: 4 });

/** A queue on a faulty memory driver, and beside it an undisturbed one on the same store. */
export interface FaultyWorld extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly store: MemoryStore;
  readonly memory: MemoryDriver;
  readonly driver: FaultyDriver;
  readonly queue: Queue;
}

export async function faultyWorld(
  faults: FaultPlan['faults'],
  { seed, wrap = (driver) => driver }: { readonly seed?: number; readonly wrap?: (driver: Driver) => Driver } = {},
): Promise<FaultyWorld> {
  const clock = new VirtualClock();
  const store = memoryStore({ clock });
  const inner = memory({ store });
  const driver = faulty(wrap(inner), { seed, faults }, { cut: () => inner.cut() });
  const queue = await openQueue(driver, { topics: [jobs, lines], random: () => 0.5 });
  return {
    clock,
    store,
    memory: inner,
    driver,
    queue,
    [Symbol.asyncDispose]: () => settledOn(clock, queue.close({ deadlineMs: 0 })),
  };
}

/** Lets virtual time pass until the promise has settled. */
export async function settledOn<T>(clock: VirtualClock, promise: Promise<T>, withinMs = 120_000): Promise<T> {
  let settled = false;
  const end = (): void => {
    settled = true;
  };
  promise.then(end, end);
  await clock.advanceUntil(() => settled, withinMs);
  return promise;
}

/** Everything that comes to a topic within a minute, as `note` puts it; each is acked. */
export async function consumed<T extends Topic, Note>(
  { clock, store }: Pick<FaultyWorld, 'clock' | 'store'>,
  topic: T,
  note: (delivery: Delivery) => Note,
): Promise<readonly Note[]> {
  const notes: Note[] = [];
  const queue = await openQueue(memory({ store }), { topics: [topic], setup: 'none' });
  await queue.consume(topic, (delivery) => {
    notes.push(note(delivery as Delivery));
  });
  await clock.advance(60_000);
  await settledOn(clock, queue.close());
  return notes;
}

/** As a backend whose connection keeps what is held. */
export function withoutLeases(driver: Driver): Driver {
  return new Proxy(driver, {
    get(target, name) {
      if (name === 'capabilities') return { ...target.capabilities, lease: null } satisfies Capabilities;
      if (name === 'subscribe') {
        return async (options: Parameters<Driver['subscribe']>[0]): Promise<DriverSubscription> => {
          const subscription = await target.subscribe(options);
          return {
            lease: null,
            receive: (max, waitMs, signal) => subscription.receive(max, waitMs, signal),
            settle: (batch) => subscription.settle(batch),
            close: () => subscription.close(),
          };
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
