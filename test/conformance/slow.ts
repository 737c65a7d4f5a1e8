import type { MemoryDriver } from 'signalbox/memory';
import { sleep, systemClock } from '../../src/queue/clock.js';
import type { Driver, DriverSubscription } from '../../src/queue/driver.js';

/** How long the way to the backend takes, and the way back, each time; a declaration takes `declareMs` besides. */
export interface Latency {
  readonly leastMs: number;
  readonly mostMs: number;
  readonly declareMs?: number;
}

/** A driver whose backend is far away, on real time. Nothing of it resolves once it was killed. */
export function slow(
  driver: MemoryDriver,
  { leastMs, mostMs, declareMs = 0 }: Latency,
): Driver & Pick<MemoryDriver, 'cut' | 'kill'> {
  let killed = false;
  let cuts = 0;
  const way = async (): Promise<void> => {
    await sleep(systemClock, leastMs + Math.random() * (mostMs - leastMs));
    if (killed) await new Promise(() => {});
  };
  const far = async <T>(call: () => Promise<T>): Promise<T> => {
    await way();
    try {
      return await call();
    } finally {
      await way();
    }
  };
  const farSubscription = (inner: DriverSubscription): DriverSubscription => {
    const { lease } = inner;
    return {
      lease: lease && { ms: lease.ms, extend: (receipts, ms) => far(() => lease.extend(receipts, ms)) },
      receive: async (max, waitMs, signal) => {
        const before = cuts;
        const received = await far(() => inner.receive(max, waitMs, signal));
        // What was on its way when the connection broke never arrives.
        return cuts === before ? received : [];
      },
      settle: (batch) => far(() => inner.settle(batch)),
      close: () => far(() => inner.close()),
    };
  };
  return {
    name: driver.name,
    clock: driver.clock,
    get capabilities() {
      return driver.capabilities;
    },
    open: (host) => far(() => driver.open(host)),
    declare: (topology, options) =>
      far(async () => {
        const report = await driver.declare(topology, options);
        if (report.created.length > 0) await sleep(systemClock, declareMs);
        return report;
      }),
    send: (batch, within) => far(() => driver.send(batch, within)),
    subscribe: (options) => far(async () => farSubscription(await driver.subscribe(options))),
    classify: (error) => driver.classify(error),
    health: () => driver.health(),
    close: () => far(() => driver.close()),
    cut: () => {
      cuts++;
      driver.cut();
    },
    kill: () => {
      killed = true;
      driver.kill();
    },
    admin: {
      topics: () => far(() => driver.admin.topics()),
      addGroup: (topic, group) => far(() => driver.admin.addGroup(topic, group)),
      removeGroup: (topic, group) => far(() => driver.admin.removeGroup(topic, group)),
      pause: (topic, group) => far(() => driver.admin.pause(topic, group)),
      resume: (topic, group) => far(() => driver.admin.resume(topic, group)),
      depth: (topic, group) => far(() => driver.admin.depth(topic, group)),
      letters: (box, page) => far(() => driver.admin.letters(box, page)),
      redrive: (box, ids) => far(() => driver.admin.redrive(box, ids)),
      purge: (box, ids) => far(() => driver.admin.purge(box, ids)),
    },
  };
}
