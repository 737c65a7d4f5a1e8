import { randomUUID } from 'node:crypto';
import type { Clock, Driver } from 'signalbox';
import type { Harness } from 'signalbox/conformance';
import { memory, memoryStore } from 'signalbox/memory';
import { systemClock } from '../../src/queue/clock.js';
import { freshCounts } from '../../src/queue/driver.js';
import { type Latency, slow } from './slow.js';

export interface SlowHarnessOptions extends Partial<Latency> {
  readonly timeFactor?: number;
  readonly leaseMs?: number;
  /** Puts something around each client: a mutant. */
  readonly wrap?: (driver: Driver) => Driver;
}

/** A memory store on real time and far away: what a server is to the suite, without one. */
export function slowMemoryHarness({
  leastMs = 5,
  mostMs = 20,
  declareMs = 0,
  timeFactor = 1,
  leaseMs = 2_000,
  wrap = (driver) => driver,
}: SlowHarnessOptions = {}): Harness {
  const store = memoryStore({ leaseMs });
  const inside = new WeakMap<Driver, ReturnType<typeof slow>>();
  const client = (): Driver => {
    const far = slow(memory({ store }), { leastMs, mostMs, declareMs });
    const wrapped = wrap(far);
    inside.set(wrapped, far);
    return wrapped;
  };
  const clientWithWrongClock = (offsetMs: number): Driver => {
    const wrong: Clock = {
      now: () => systemClock.now() + offsetMs,
      schedule: (callback, delayMs) => systemClock.schedule(callback, delayMs),
    };
    return Object.assign(client(), { clock: wrong });
  };
  return {
    backend: 'memory',
    version: 'far away',
    time: { kind: 'real', timeFactor },
    client,
    clientWithWrongClock,
    cutConnections: (driver) => inside.get(driver)?.cut(),
    killSubscriber: (driver) => inside.get(driver)?.kill(),
    beginTransaction: () => {
      const transaction = store.begin();
      return { handle: transaction, commit: () => transaction.commit(), rollback: () => transaction.rollback() };
    },
    backendNow: () => systemClock.now(),
    sendForeign: async ({ topic, routingKey, body }) => {
      const driver = memory({ store });
      await driver.open({ logger: { info() {}, warn() {} }, emit() {} });
      await driver.send([
        {
          target: { kind: 'topic' },
          message: { id: null, topic, key: null, routingKey, headers: {}, body, publishedAt: null, format: null },
          ...{ lane: 0, counts: freshCounts, delayMs: 0, nonce: randomUUID(), unmatched: 'reject', dedup: null },
        },
      ]);
      await driver.close();
    },
  };
}
