import type { Clock, VirtualClock } from 'signalbox';
import type { Harness } from 'signalbox/conformance';
import type { MemoryDriver, memory, memoryStore } from 'signalbox/memory';
import type { Driver } from '../../src/queue/driver.js';

/** The code under test: the sources, or a changed copy of them. */
export interface CodeUnderTest {
  readonly VirtualClock: typeof VirtualClock;
  readonly memory: typeof memory;
  readonly memoryStore: typeof memoryStore;
}

export interface MemoryHarnessOptions {
  /** Puts something around each client: capabilities taken away, a mutant. */
  readonly wrap?: (driver: MemoryDriver) => Driver;
  readonly leaseMs?: number;
}

/** A memory store on a virtual clock. Imports types alone, so that it works on any copy of the code. */
export function memoryHarnessOf(
  { VirtualClock, memory, memoryStore }: CodeUnderTest,
  options: MemoryHarnessOptions = {},
): Harness & { readonly clock: VirtualClock } {
  const { wrap = (driver) => driver, leaseMs = 30_000 } = options;
  const clock = new VirtualClock();
  const store = memoryStore({ clock, leaseMs });
  /** The memory driver in each wrapper: cutting and killing are its own. */
  const inside = new WeakMap<Driver, MemoryDriver>();
  const client = (): Driver => {
    const driver = memory({ store });
    const wrapped = wrap(driver);
    inside.set(wrapped, driver);
    return wrapped;
  };
  /** The process has the wrong time of day; the store, which keeps the time of all, does not. */
  const clientWithWrongClock = (offsetMs: number): Driver => {
    const wrong: Clock = { now: () => clock.now() + offsetMs, schedule: (...args) => clock.schedule(...args) };
    return new Proxy(client(), {
      get: (driver, name) => {
        const value = name === 'clock' ? wrong : Reflect.get(driver, name, driver);
        return typeof value === 'function' ? value.bind(driver) : value;
      },
    });
  };
  let foreign = 0;
  return {
    backend: 'memory',
    version: `Node.js ${process.versions.node}`,
    clock,
    time: { kind: 'virtual', clock },
    client,
    clientWithWrongClock,
    cutConnections: (driver) => inside.get(driver)?.cut(),
    killSubscriber: (driver) => inside.get(driver)?.kill(),
    beginTransaction: () => {
      const transaction = store.begin();
      return {
        handle: transaction,
        commit: () => transaction.commit(),
        rollback: () => transaction.rollback(),
      };
    },
    backendNow: () => clock.now(),
    sendForeign: async ({ topic, routingKey, body }) => {
      const driver = memory({ store });
      await driver.open({ logger: { info() {}, warn() {} }, emit: () => {} });
      await driver.send([
        {
          target: { kind: 'topic' },
          message: { id: null, topic, key: null, routingKey, headers: {}, body, publishedAt: null, format: null },
          lane: 0,
          counts: { attempt: 1, postpones: 0, firstFailedAt: null },
          delayMs: 0,
          nonce: `foreign ${++foreign}`,
          unmatched: 'reject',
          dedup: null,
        },
      ]);
      await driver.close();
    },
  };
}
