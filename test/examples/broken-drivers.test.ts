import { allCases, runConformance } from 'signalbox/conformance';
import { type Driver, type DriverAdmin, type DriverSubscription, freshCounts } from 'signalbox/driver';
import { describe, expect, test } from 'vitest';
import { shelfHarness } from '../../examples/one-file-driver/conformance.js';
import type { ShelfDriver } from '../../examples/one-file-driver/driver.js';

type Changes<T> = (whole: T) => Partial<T>;

/** One promise broken, in a driver that keeps all others. */
interface Break {
  readonly what: string;
  /** The promise, by number, and the case that shows it. */
  readonly promise: string;
  readonly shownBy: string;
  /** Other promises that hold no more when this one does not, as far as the cases on the driver alone show it. */
  readonly also?: readonly string[];
  readonly driver?: Changes<Driver>;
  readonly admin?: Changes<DriverAdmin>;
  readonly subscription?: (
    subscription: DriverSubscription,
    group: string,
    driver: Driver,
  ) => Partial<DriverSubscription>;
}

const breaks: readonly Break[] = [
  {
    what: 'delivers what is delayed a tenth too early',
    promise: '2.1',
    shownBy: 'a-delayed-message-waits-in-full-to-the-millisecond',
    driver: (driver) => ({
      send: (batch) => driver.send(batch.map((send) => ({ ...send, delayMs: send.delayMs * 0.9 }))),
    }),
  },
  {
    what: 'loses what is released',
    promise: 'S2',
    shownBy: 'a-release-comes-back-after-its-delay-with-its-new-counts',
    also: ['10.2', '15.1', '11.3', 'S6', '17.2', '18.1', '27.1', '28.2', 'C2'],
    subscription: (subscription) => ({
      settle: (batch) =>
        subscription.settle(
          batch.map((each) => (each.kind === 'release' ? { kind: 'ack', receipt: each.receipt, outbox: [] } : each)),
        ),
    }),
  },
  {
    what: 'forgets the attempts of what is released',
    promise: 'S2',
    shownBy: 'a-release-comes-back-after-its-delay-with-its-new-counts',
    also: ['S6'],
    subscription: (subscription) => ({
      settle: (batch) =>
        subscription.settle(batch.map((each) => (each.kind === 'release' ? { ...each, counts: freshCounts } : each))),
    }),
  },
  {
    what: 'takes a stale receipt',
    promise: '18.1',
    shownBy: 'settling-again-is-lost-and-changes-nothing',
    also: ['17.2', '17.3'],
    subscription: (subscription) => ({
      settle: async (batch) => (await subscription.settle(batch)).map(() => ({ status: 'done' })),
    }),
  },
  {
    what: 'turns the order of a batch round',
    promise: '11.1',
    shownBy: 'one-reader-gets-a-key-in-publish-order',
    also: ['1.4', 'P4', '11.2', '11.3', '15.1'],
    driver: (driver) => ({ send: async (batch) => [...(await driver.send([...batch].reverse()))].reverse() }),
  },
  {
    what: 'hands out two of a key',
    promise: '11.2',
    shownBy: 'a-key-is-in-the-hands-of-one-reader-at-a-time',
    also: ['26.1'],
    driver: (driver) => ({
      declare: ({ topics }, options) =>
        driver.declare({ topics: topics.map((topic) => ({ ...topic, ordering: 'none' })) }, options),
    }),
  },
  {
    what: 'does not count hand-outs without an answer',
    promise: 'S6',
    shownBy: 'each-hand-out-without-an-answer-is-counted-and-an-answer-counts-anew',
    subscription: (subscription) => ({
      receive: async (max, waitMs, signal) =>
        (await subscription.receive(max, waitMs, signal)).map((received) => ({ ...received, redeliveries: 0 })),
    }),
  },
  {
    what: 'lets * stand for any number of words',
    promise: '6.3',
    shownBy: 'a-star-is-one-word-and-a-hash-any-number',
    driver: (driver) => ({
      declare: ({ topics }, options) =>
        driver.declare(
          {
            topics: topics.map((topic) => ({
              ...topic,
              groups: topic.groups.map(({ name, patterns }) => ({
                name,
                patterns: patterns.map((pattern) => pattern.replaceAll('*', '#')),
              })),
            })),
          },
          options,
        ),
    }),
  },
  {
    what: 'uses dead letters up by listing them',
    promise: '21.2',
    shownBy: 'looking-at-letters-changes-nothing',
    admin: (admin) => ({
      letters: async (box, page) => {
        const list = await admin.letters(box, page);
        await admin.purge(
          box,
          list.letters.map(({ message }) => String(message.id)),
        );
        return list;
      },
    }),
  },
  {
    what: "takes another group's copy along with an ack",
    promise: '6.4',
    shownBy: 'each-group-gets-everything',
    also: ['6.3'],
    subscription: (subscription, group, driver) => ({
      settle: (batch) => {
        const { copies } = (driver as ShelfDriver).shelf;
        for (const each of batch) {
          const { message, topic } = (each.receipt as { copy: { message: { id: string }; topic: string } }).copy;
          for (const copy of copies)
            if (each.kind === 'ack' && copy.message.id === message.id && copy.topic === topic && copy.group !== group)
              copies.delete(copy);
        }
        return subscription.settle(batch);
      },
    }),
  },
  {
    what: 'drops the outbox of an ack',
    promise: '17.2',
    shownBy: 'the-outbox-is-there-when-the-ack-has-been-answered',
    also: ['17.3'],
    subscription: (subscription) => ({
      settle: (batch) =>
        subscription.settle(batch.map((each) => (each.kind === 'ack' ? { ...each, outbox: [] } : each))),
    }),
  },
  {
    what: 'answers for a batch what it should answer for one stale receipt in it',
    promise: '18.1',
    shownBy: 'one-stale-receipt-of-a-batch-stops-no-other',
    subscription: (subscription) => ({
      settle: async (batch) => {
        const results = await subscription.settle(batch);
        return results.some(({ status }) => status === 'lost') ? batch.map(() => ({ status: 'lost' })) : results;
      },
    }),
  },
  {
    what: 'keeps counts in a byte',
    promise: 'S2',
    shownBy: 'what-is-released-comes-back-whole-with-counts-of-any-size',
    subscription: (subscription) => ({
      settle: (batch) =>
        subscription.settle(
          batch.map((each) => {
            if (each.kind !== 'release') return each;
            const { attempt, postpones, firstFailedAt } = each.counts;
            return { ...each, counts: { attempt: attempt % 256, postpones: postpones % 256, firstFailedAt } };
          }),
        ),
    }),
  },
  {
    what: 'forgets the routing key of what is released',
    promise: 'S2',
    shownBy: 'what-is-released-comes-back-whole-with-counts-of-any-size',
    subscription: (subscription) => ({
      receive: async (...given) =>
        (await subscription.receive(...given)).map((each) =>
          each.counts.attempt === 1 ? each : { ...each, message: { ...each.message, routingKey: null } },
        ),
    }),
  },
  {
    what: 'names letters without regard to case',
    promise: '21.3',
    shownBy: 'letters-are-named-by-the-bytes-of-their-ids',
    admin: (admin) => ({
      redrive: async (box, ids) => {
        if (ids === 'all') return admin.redrive(box, ids);
        const { letters } = await admin.letters(box, { limit: 1_000, cursor: null });
        const wanted = new Set(ids.map((id) => id.toLowerCase()));
        const found = letters.map(({ message }) => String(message.id)).filter((id) => wanted.has(id.toLowerCase()));
        return admin.redrive(box, found);
      },
    }),
  },
  {
    what: 'purges the letters of every group',
    promise: '21.5',
    shownBy: 'letters-with-one-id-in-two-groups-are-two-letters',
    admin: (admin) => ({
      purge: async (box, ids) => {
        const count = await admin.purge(box, ids);
        if (box.kind === 'lost') return count;
        const groups = (await admin.topics()).find(({ name }) => name === box.topic)?.groups ?? [];
        for (const { name } of groups) await admin.purge({ ...box, group: name }, ids);
        return count;
      },
    }),
  },
  {
    what: 'removes a group from every topic',
    promise: '6.4',
    shownBy: 'removing-a-group-leaves-alone-what-has-its-name-in-another-topic',
    admin: (admin) => ({
      removeGroup: async (topic, group) => {
        await admin.removeGroup(topic, group);
        for (const { name, groups } of await admin.topics())
          if (groups.some((each) => each.name === group)) await admin.removeGroup(name, group);
      },
    }),
  },
  {
    what: 'keeps in hand what is given back',
    promise: 'S7',
    shownBy: 'what-is-given-back-is-there-for-others-at-once',
    also: ['11.1', '18.1'],
    subscription: (subscription) => ({
      settle: async (batch) => {
        const others = batch.filter(({ kind }) => kind !== 'give-back');
        const results = [...(await subscription.settle(others))];
        return batch.map(({ kind }) => (kind === 'give-back' ? { status: 'done' } : (results.shift() as never)));
      },
    }),
  },
  {
    what: 'changes what differs without being asked to',
    promise: '26.3',
    shownBy: 'a-difference-is-named-and-nothing-is-changed',
    driver: (driver) => ({ declare: (topology, options) => driver.declare(topology, { ...options, change: true }) }),
  },
  {
    what: 'stores what comes after a failed entry of its key',
    promise: '1.4',
    shownBy: 'after-an-entry-that-failed-later-ones-of-its-key-are-not-stored',
    driver: (driver) => ({
      send: async (batch) => {
        const results = [];
        for (const send of batch) results.push(...(await driver.send([send])));
        return results;
      },
    }),
  },
  {
    what: 'answers after it was closed',
    promise: '23.2',
    shownBy: 'every-verb-of-a-closed-driver-is-refused',
    driver: (driver) => ({
      send: (batch) => driver.send(batch).catch(() => batch.map(() => ({ status: 'stored', groups: 1 }))),
    }),
  },
];

describe('a driver with one promise broken is told which one', () => {
  test.each(breaks)('a driver that $what breaks promise $promise', async ({ promise, shownBy, also, ...broken }) => {
    // Those on the driver alone, as the guide says: they are many, they take half a second, and they are the sharper ones.
    const only = allCases.filter(({ id, layer }) => layer === 'driver' || id === shownBy).map(({ id }) => id);
    const report = await runConformance(
      shelfHarness((driver) => alteredDriver(driver, broken)),
      { only },
    );

    const failed = report.promises.filter(({ cases }) => cases.some(({ status }) => status === 'failed'));
    const cases = failed.find(({ number }) => number === promise)?.cases ?? [];
    expect(cases.filter(({ status }) => status === 'failed').map(({ id }) => id)).toContain(shownBy);
    expect(failed.map(({ number }) => number).sort()).toEqual([promise, ...(also ?? [])].sort());
  });
});

function alteredDriver(driver: Driver, { driver: ofDriver, admin, subscription }: Partial<Break>): Driver {
  return altered(driver, {
    ...ofDriver?.(driver),
    admin: altered(driver.admin, admin?.(driver.admin) ?? {}),
    subscribe: async (options) => {
      const made = await driver.subscribe(options);
      return altered(made, subscription?.(made, options.group, driver) ?? {});
    },
  });
}

/** `whole` with some of it replaced. */
function altered<T extends object>(whole: T, parts: Partial<T>): T {
  return new Proxy(whole, {
    get(target, name) {
      if (name in parts) return parts[name as keyof T];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
