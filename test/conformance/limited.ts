import type { MemoryDriver } from 'signalbox/memory';
import type { Capabilities, Driver, DriverSubscription } from '../../src/queue/driver.js';

/** What is taken away from the memory driver; the rest passes. */
export interface Limits {
  readonly capabilities: Partial<Capabilities>;
  readonly subscription?: (subscription: DriverSubscription, driver: MemoryDriver) => DriverSubscription;
  readonly send?: (driver: MemoryDriver) => Driver['send'];
}

/** A backend that can less than memory: it declares so, and does not do it in secret either. */
export function limited(driver: MemoryDriver, { capabilities, subscription, send }: Limits): Driver {
  return {
    name: driver.name,
    clock: driver.clock,
    capabilities: { ...driver.capabilities, ...capabilities },
    open: (host) => driver.open(host),
    declare: (topology, options) => driver.declare(topology, options),
    send: send?.(driver) ?? ((batch, within) => driver.send(batch, within)),
    subscribe: async (options) => {
      const inner = await driver.subscribe(options);
      return subscription?.(inner, driver) ?? inner;
    },
    classify: (error) => driver.classify(error),
    health: () => driver.health(),
    close: () => driver.close(),
    admin: {
      topics: () => driver.admin.topics(),
      addGroup: (topic, group) => driver.admin.addGroup(topic, group),
      removeGroup: (topic, group) => driver.admin.removeGroup(topic, group),
      pause: (topic, group) => driver.admin.pause(topic, group),
      resume: (topic, group) => driver.admin.resume(topic, group),
      letters: (box, page) => driver.admin.letters(box, page),
      redrive: (box, ids) => driver.admin.redrive(box, ids),
      purge: (box, ids) => driver.admin.purge(box, ids),
      depth: async (topic, group) => {
        const depth = await driver.admin.depth(topic, group);
        const known = capabilities.depth ?? driver.capabilities.depth;
        return {
          ready: known.ready ? depth.ready : null,
          delayed: known.delayed ? depth.delayed : null,
          inHand: known.inHand ? depth.inHand : null,
          dead: known.dead ? depth.dead : null,
          oldestAgeMs: known.oldestAgeMs ? depth.oldestAgeMs : null,
          paused: depth.paused,
        };
      },
    },
  };
}

function overSubscription(inner: DriverSubscription, changes: Partial<DriverSubscription>): DriverSubscription {
  return {
    lease: inner.lease,
    receive: (max, waitMs, signal) => inner.receive(max, waitMs, signal),
    settle: (batch) => inner.settle(batch),
    close: () => inner.close(),
    ...changes,
  };
}

/** The store's own leases must be too long to show: see `memoryHarness({ leaseMs })`. */
export const withoutLease: Limits = {
  capabilities: { lease: null },
  subscription: (inner) => overSubscription(inner, { lease: null }),
};

export const withoutDedup: Limits = {
  capabilities: { dedup: null },
  // A nonce of its own for every send: what is repeated is stored twice.
  send: (driver) => {
    let sends = 0;
    return (batch, within) =>
      driver.send(
        batch.map((entry) => {
          if (entry.dedup !== null) throw new Error('a driver without dedup was sent an idempotency key');
          return { ...entry, nonce: `${entry.nonce} ${++sends}` };
        }),
        within,
      );
  },
};

export const withoutTransactions: Limits = {
  capabilities: { transactions: false },
  send: (driver) => (batch, within) => {
    if (within !== undefined) throw new Error('a driver without transactions was given one');
    return driver.send(batch);
  },
};

/** What is in an outbox is stored first, and then the ack is made: as a broker does it. */
export const withoutAtomicOutbox: Limits = {
  capabilities: { atomicOutbox: false },
  subscription: (inner, driver) =>
    overSubscription(inner, {
      settle: (batch) =>
        Promise.all(
          batch.map(async (settlement) => {
            if (settlement.kind === 'ack') {
              const results = await driver.send(settlement.outbox);
              for (const result of results)
                if (result.status === 'failed') return { status: 'failed' as const, error: result.error };
            }
            const alone = settlement.kind === 'ack' ? { ...settlement, outbox: [] } : settlement;
            const [result] = await inner.settle([alone]);
            return result ?? { status: 'lost' as const };
          }),
        ),
    }),
};

export const withoutRedeliveryCounts: Limits = {
  capabilities: { countsRedeliveries: false },
  subscription: (inner) =>
    overSubscription(inner, {
      receive: async (max, waitMs, signal) =>
        (await inner.receive(max, waitMs, signal)).map((one) => ({
          ...one,
          redeliveries: Math.min(1, one.redeliveries),
        })),
    }),
};

export const withoutDepth: Limits = {
  capabilities: { depth: { ready: false, delayed: false, inHand: false, dead: false, oldestAgeMs: false } },
};

/** Everything that RabbitMQ's classic queues cannot do either. */
export const withoutAnything: Limits = {
  capabilities: {
    ...withoutLease.capabilities,
    ...withoutDedup.capabilities,
    ...withoutTransactions.capabilities,
    ...withoutAtomicOutbox.capabilities,
    ...withoutRedeliveryCounts.capabilities,
    ...withoutDepth.capabilities,
    delay: { resolutionMs: 10, maxMs: 31 * 24 * 60 * 60 * 1_000 },
    ordering: { lanes: 8, keyIsolation: 'window' },
    limits: { bodyBytes: 2_000_000, nameBytes: 100, headerBytes: 16_384, batch: 100, concurrentSends: 4 },
  },
  subscription: (inner, driver) => {
    const single = withoutAtomicOutbox.subscription?.(inner, driver) ?? inner;
    const counted = withoutRedeliveryCounts.subscription?.(single, driver) ?? single;
    return overSubscription(counted, { lease: null });
  },
};
