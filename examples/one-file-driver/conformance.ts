import { randomUUID } from 'node:crypto';
import { VirtualClock } from 'signalbox';
import type { Harness } from 'signalbox/conformance';
import { type Driver, freshCounts } from 'signalbox/driver';
import { Shelf, ShelfDriver } from './driver.js';

/** All that the suite must be told about the driver. `wrap` puts something around each client. */
export function shelfHarness(wrap: (driver: Driver) => Driver = (driver) => driver): Harness {
  const clock = new VirtualClock();
  const shelf = new Shelf(clock);
  const killed = new WeakSet<object>();
  const inside = new WeakMap<object, Driver>();
  return {
    backend: 'shelf',
    version: '1.0.0',
    time: { kind: 'virtual', clock },
    client: () => {
      const driver = wrap(new ShelfDriver(shelf));
      const client = mortal(driver, killed);
      inside.set(client, driver);
      return client;
    },
    killSubscriber: async (driver) => {
      killed.add(driver);
      // The backend sees the connection closing, and takes back what its holder had.
      await inside.get(driver)?.close();
    },
    sendForeign: async ({ topic, routingKey, body }) => {
      shelf.store({
        target: { kind: 'topic' },
        message: { id: null, topic, key: null, routingKey, headers: {}, body, publishedAt: null, format: null },
        ...{ lane: 0, counts: freshCounts, delayMs: 0, nonce: randomUUID(), unmatched: 'reject', dedup: null },
      });
      shelf.tell();
    },
    backendNow: () => clock.now(),
  };
}

/** `alive`, until it is in `killed`: from then on nothing that is asked of it is answered. */
function mortal<T extends object>(alive: T, killed: WeakSet<object>): T {
  const client: T = new Proxy(alive, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...given: unknown[]) => {
        const answer: unknown = value.apply(target, given);
        if (!(answer instanceof Promise)) return answer;
        const unlessKilled = () => (killed.has(client) ? new Promise(() => {}) : answer);
        return answer.then(unlessKilled, unlessKilled);
      };
    },
  });
  return client;
}
