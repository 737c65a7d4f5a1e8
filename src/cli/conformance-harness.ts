import { randomUUID } from 'node:crypto';
import { openQueue } from '../open-queue.js';
import type { Harness } from '../queue/conformance/index.js';
import { freshCounts } from '../queue/driver.js';
import { type Driver, VirtualClock } from '../queue/index.js';
import type { CliIo } from './io.js';

/**
 * What the suite needs to know of the backend that a URL names. A memory queue is tried on a virtual clock with
 * every fault that it can be brought to; any other in real time, and without faults: what those take (rights to
 * restart a server, a proxy to cut) only that driver's own tests have. Rejects when there is no such backend.
 */
export async function harnessOf(url: string, io: CliIo, timeFactor: number): Promise<Harness> {
  const driver = await io.connect(url);
  if (/^memory:/i.test(url)) return memoryHarness();
  // Opened once as users do, so that whatever the backend refuses is said as to them.
  const queue = await openQueue(driver, { topics: [], setup: 'none' });
  const { backend } = queue.health();
  await queue.close();
  return {
    backend,
    version: `through Node.js ${process.versions.node}`,
    time: { kind: 'real', timeFactor },
    client: () => io.connect(url),
  };
}

/** A store of its own, whatever the URL's name: nobody else can be on it, since this process is new. */
async function memoryHarness(): Promise<Harness> {
  const { memory, memoryStore } = await import('../queue/memory/index.js');
  const clock = new VirtualClock();
  const store = memoryStore({ clock });
  const clients = new Map<Driver, ReturnType<typeof memory>>();
  const client = (): Driver => {
    const driver = memory({ store });
    clients.set(driver, driver);
    return driver;
  };
  return {
    backend: 'memory',
    version: `Node.js ${process.versions.node}`,
    time: { kind: 'virtual', clock },
    client,
    cutConnections: (driver) => clients.get(driver)?.cut(),
    killSubscriber: (driver) => clients.get(driver)?.kill(),
    beginTransaction: () => {
      const transaction = store.begin();
      return { handle: transaction, commit: () => transaction.commit(), rollback: () => transaction.rollback() };
    },
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
    backendNow: () => clock.now(),
  };
}
