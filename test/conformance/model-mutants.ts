import { type Driver, type DriverSubscription, freshCounts, type Received, type Send } from '../../src/queue/driver.js';

/** What a wrong driver does differently from the one inside it. */
interface Wrong {
  readonly send?: Driver['send'];
  readonly declare?: Driver['declare'];
  readonly admin?: Partial<Driver['admin']>;
  readonly subscription?: (inner: DriverSubscription) => Partial<DriverSubscription>;
}

function wrong(driver: Driver, { send, declare, admin, subscription }: Wrong): Driver {
  return new Proxy(driver, {
    get(target, name) {
      if (name === 'send' && send !== undefined) return send;
      if (name === 'declare' && declare !== undefined) return declare;
      if (name === 'admin') return { ...wholeAdmin(target), ...admin };
      if (name === 'subscribe' && subscription !== undefined) {
        return async (options: Parameters<Driver['subscribe']>[0]): Promise<DriverSubscription> => {
          const inner = await target.subscribe(options);
          return {
            lease: inner.lease,
            receive: (max, waitMs, signal) => inner.receive(max, waitMs, signal),
            settle: (batch) => inner.settle(batch),
            close: () => inner.close(),
            ...subscription(inner),
          };
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

function wholeAdmin({ admin }: Driver): Driver['admin'] {
  return {
    topics: () => admin.topics(),
    addGroup: (...args) => admin.addGroup(...args),
    removeGroup: (...args) => admin.removeGroup(...args),
    pause: (...args) => admin.pause(...args),
    resume: (...args) => admin.resume(...args),
    depth: (...args) => admin.depth(...args),
    letters: (...args) => admin.letters(...args),
    redrive: (...args) => admin.redrive(...args),
    purge: (...args) => admin.purge(...args),
  };
}

/** Wrong in what it does with settlements: `change` sees each before it reaches the driver. */
const settling = (driver: Driver, settle: (inner: DriverSubscription) => DriverSubscription['settle']): Driver =>
  wrong(driver, { subscription: (inner) => ({ settle: settle(inner) }) });

const receiving = (driver: Driver, change: (one: Received) => Received): Driver =>
  wrong(driver, {
    subscription: (inner) => ({
      receive: async (max, waitMs, signal) => (await inner.receive(max, waitMs, signal)).map(change),
    }),
  });

let copies = 0;

/** Memory drivers with one promise broken each. */
export const driverMutants: Readonly<Record<string, (driver: Driver) => Driver>> = {
  'forgets the attempt at a nack': (driver) =>
    settling(
      driver,
      (inner) => (batch) =>
        inner.settle(batch.map((one) => (one.kind === 'release' ? { ...one, counts: freshCounts } : one))),
    ),
  'delivers a millisecond early': (driver) =>
    wrong(driver, {
      send: (batch, within) =>
        driver.send(
          batch.map((one) => ({ ...one, delayMs: Math.max(0, one.delayMs - 1) })),
          within,
        ),
    }),
  'lets an outbox leave whose ack is lost or refused': (driver) =>
    settling(driver, (inner) => async (batch) => {
      const outboxes = batch.flatMap((one): readonly Send[] => (one.kind === 'ack' ? one.outbox : []));
      if (outboxes.length > 0) await driver.send(outboxes);
      return inner.settle(batch);
    }),
  'counts a give-back as a redelivery': (driver) => {
    const back = new Map<string | null, number>();
    const ids = new WeakMap<object, string | null>();
    return wrong(driver, {
      subscription: (inner) => ({
        receive: async (max, waitMs, signal) =>
          (await inner.receive(max, waitMs, signal)).map((one) => {
            ids.set(one.receipt, one.message.id);
            return { ...one, redeliveries: one.redeliveries + (back.get(one.message.id) ?? 0) };
          }),
        settle: async (batch) => {
          for (const { kind, receipt } of batch) {
            const id = ids.get(receipt) ?? null;
            if (kind === 'give-back') back.set(id, (back.get(id) ?? 0) + 1);
          }
          return inner.settle(batch);
        },
      }),
    });
  },
  'gives back to the end of the line': (driver) => {
    const counts = new WeakMap<object, Received['counts']>();
    return wrong(driver, {
      subscription: (inner) => ({
        receive: async (max, waitMs, signal) => {
          const received = await inner.receive(max, waitMs, signal);
          for (const one of received) counts.set(one.receipt, one.counts);
          return received;
        },
        settle: (batch) =>
          inner.settle(
            batch.map((one) =>
              one.kind === 'give-back'
                ? { kind: 'release', receipt: one.receipt, delayMs: 0, counts: counts.get(one.receipt) ?? freshCounts }
                : one,
            ),
          ),
      }),
    });
  },
  'loses a message that is postponed': (driver) =>
    settling(
      driver,
      (inner) => (batch) =>
        inner.settle(
          batch.map((one) =>
            one.kind === 'release' && one.counts.postpones > 0
              ? { kind: 'ack', receipt: one.receipt, outbox: [] }
              : one,
          ),
        ),
    ),
  'says done to a stale receipt': (driver) =>
    settling(
      driver,
      (inner) => async (batch) =>
        (await inner.settle(batch)).map((result) => (result.status === 'lost' ? { status: 'done' } : result)),
    ),
  'hides redeliveries above one': (driver) =>
    receiving(driver, (one) => ({ ...one, redeliveries: Math.min(1, one.redeliveries) })),
  'lets a star match two words': (driver) =>
    wrong(driver, {
      declare: ({ topics }, options) =>
        driver.declare(
          {
            topics: topics.map((topic) => ({
              ...topic,
              groups: topic.groups.map((group) => ({
                ...group,
                patterns: group.patterns.map((pattern) => (pattern === '*.*' ? '*.#' : pattern)),
              })),
            })),
          },
          options,
        ),
    }),
  'stores what comes after a failed entry of its key': (driver) =>
    wrong(driver, {
      send: async (batch, within) => (await Promise.all(batch.map((one) => driver.send([one], within)))).flat(),
    }),
  'redrives a letter twice': (driver) =>
    wrong(driver, {
      admin: {
        redrive: async (box, ids) => {
          const { letters } = await driver.admin.letters(box, { limit: 1, cursor: null });
          const count = await driver.admin.redrive(box, ids);
          for (const { message, group } of letters.slice(0, count)) {
            const target = { kind: 'group', group } as const;
            const nonce = `redriven again ${++copies}`;
            await driver.send([
              { target, message, lane: 0, counts: freshCounts, delayMs: 0, nonce, unmatched: 'reject', dedup: null },
            ]);
          }
          return count;
        },
      },
    }),
  'extends a lost lease': (driver) =>
    wrong(driver, {
      subscription: ({ lease }) => ({
        lease: lease && {
          ms: lease.ms,
          extend: async (receipts, ms) => (await lease.extend(receipts, ms)).map(() => 'done' as const),
        },
      }),
    }),
};
