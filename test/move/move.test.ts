import { moveMessages, planMove, QueueError } from 'signalbox';
import { describe, expect, test } from 'vitest';
import { driverOf } from '../../src/open-queue.js';
import { type Clock, systemClock } from '../../src/queue/driver.js';
import { plain } from '../topologies.js';
import { death, empty, entry, fill, keys, perKey, sendAll, withDriver } from './scene.js';
import { threeBackends } from './three-backends.js';

const freshUrl = await threeBackends();
type Name = keyof typeof freshUrl;

const directions = (Object.keys(freshUrl) as Name[]).flatMap((from) =>
  (Object.keys(freshUrl) as Name[]).filter((to) => to !== from).map((to) => [from, to] as const),
);

async function move(from: string, to: string, options: Parameters<typeof moveMessages>[2] = {}) {
  return moveMessages(await driverOf(from), await driverOf(to), { watchMs: 300, ...options });
}

const anHourMs = 3_600_000;

describe.concurrent.each(directions)('from %s to %s', (from, to) => {
  test('everything is moved, and nothing is left', { timeout: 180_000 }, async () => {
    const [source, target] = [await freshUrl[from](), await freshUrl[to]()];
    // RabbitMQ gives what is delayed when it falls due.
    const delayMs = from === 'amqp' ? 4_000 : anHourMs;
    await fill(source, delayMs);

    const report = await move(source, target, { wait: true });

    expect(report.left).toEqual({ waiting: 0, inTransit: 0, inHand: 0, lostLetters: 0 });
    expect(report.groups).toEqual([
      { topic: 'keyed', group: 'default', messages: keys.length * perKey, deadLetters: 0 },
      { topic: 'plain.images', group: 'audit', messages: 3, deadLetters: 0 },
      { topic: 'plain.images', group: 'default', messages: 7, deadLetters: 3 },
    ]);
    await withDriver(source, async ({ admin }) => {
      for (const [topic, group] of [
        ['keyed', 'default'],
        ['plain.images', 'audit'],
        ['plain.images', 'default'],
      ] as const) {
        const { ready, dead, paused } = await admin.depth(topic, group);
        expect([ready, dead, paused]).toEqual([0, 0, true]);
      }
    });
    await withDriver(target, async (driver) => {
      const { admin } = driver;
      const lateInTarget = to === 'amqp' && from !== 'amqp';
      expect((await admin.inTransit?.()) ?? 0).toBe(lateInTarget ? 2 : 0);
      const ofDefault = await empty(driver, 'plain.images', 'default');
      const ofAudit = await empty(driver, 'plain.images', 'audit');
      const ofKeyed = await empty(driver, 'keyed', 'default');
      const later = lateInTarget ? [] : ['delayed'];
      expect(ofDefault.waiting.map(({ message }) => message.id).sort()).toEqual(
        ['both', 'one group', 'postponed', 'retried', 'twice', 'twice', ...later].sort(),
      );
      expect(ofAudit.waiting.map(({ message }) => message.id).sort()).toEqual(
        ['audit alone', 'both', ...(lateInTarget ? [] : ['delayed retry'])].sort(),
      );
      const of = (id: string, { waiting } = ofDefault) => waiting.find(({ message }) => message.id === id);
      expect(of('both')?.message).toMatchObject({
        routingKey: 'eu.de',
        headers: { 'x-a': 'ä', CC: 'not routed' },
        publishedAt: 1_700_000_000_123,
        format: 1,
        key: null,
      });
      expect(Buffer.from(of('both')?.message.body ?? []).toString()).toBe('\u0000\u00ff both');
      expect(of('retried')?.counts).toEqual({ attempt: 3, postpones: 0, firstFailedAt: 1_700_000_000_500 });
      expect(of('postponed')?.counts).toEqual({ attempt: 1, postpones: 40, firstFailedAt: null });
      if (from !== 'amqp' && to !== 'amqp') {
        for (const late of [of('delayed'), of('delayed retry', ofAudit)]) {
          expect(late?.delayMs).toBeGreaterThan(anHourMs - 170_000);
          expect(late?.delayMs).toBeLessThanOrEqual(anHourMs + 1_000);
        }
        expect(of('delayed retry', ofAudit)?.counts.attempt).toBe(3);
      }
      expect(ofKeyed.waiting).toHaveLength(keys.length * perKey);
      for (const key of keys) {
        const ids = ofKeyed.waiting.flatMap(({ message }) => (message.key === key ? [message.id] : []));
        expect(ids).toEqual(Array.from({ length: perKey }, (_, n) => `${key}${n}`));
      }
      expect(ofDefault.letters.map(({ message, death: of }) => [message.id, message.routingKey, of])).toEqual(
        expect.arrayContaining([
          ['dead', 'r', death],
          ['dead', 'other', death],
          ['dead for a day', null, death],
        ]),
      );
      const expiring = ofDefault.letters.map(({ message, expiresInMs }) => [
        message.id,
        (expiresInMs ?? 0) > 86_000_000,
      ]);
      expect(expiring.filter(([, expires]) => expires)).toEqual([['dead for a day', true]]);
      expect((await admin.topics()).map(({ name, lanes, ordering }) => [name, lanes, ordering])).toEqual([
        ['keyed', 4, 'key'],
        ['plain.images', 1, 'none'],
      ]);
    });
  });

  test('a move that is cut off anywhere loses nothing, and goes on', { timeout: 180_000 }, async () => {
    const [source, target] = [await freshUrl[from](), await freshUrl[to]()];
    await fill(source, from === 'amqp' ? 500 : anHourMs);
    let cuts = 0;

    for (let cutAt = 1; ; cutAt++) {
      const cut = await driverOf(target);
      const send = cut.send.bind(cut);
      let calls = 0;
      // By turns before it is stored and after, when nobody has heard of it.
      cut.send = async (batch) => {
        if (++calls === 1 + (cutAt % 3) && cutAt < 7) {
          cuts++;
          if (cutAt % 2 === 0) await send(batch);
          throw new QueueError('the process is gone', { code: 'aborted' });
        }
        return send(batch);
      };
      try {
        await moveMessages(await driverOf(source), cut, { watchMs: 0, wait: true });
        break;
      } catch (error) {
        if (calls !== 1 + (cutAt % 3)) throw error;
      }
    }

    expect(cuts).toBeGreaterThan(2);
    await withDriver(target, async (driver) => {
      const [ofDefault, ofAudit, ofKeyed] = [
        await empty(driver, 'plain.images', 'default'),
        await empty(driver, 'plain.images', 'audit'),
        await empty(driver, 'keyed', 'default'),
      ];
      const ids = (found: readonly { readonly message: { readonly id: string | null } }[]) =>
        found.map(({ message }) => message.id);
      const unique = (all: readonly (string | null)[]) => [...new Set(all)].sort();
      const late = to === 'amqp' && from !== 'amqp' ? [] : ['delayed'];
      expect(unique(ids(ofDefault.waiting))).toEqual(
        ['both', 'one group', 'postponed', 'retried', 'twice', ...late].sort(),
      );
      expect(unique(ids(ofAudit.waiting)).slice(0, 2)).toEqual(['audit alone', 'both']);
      expect(unique(ids(ofKeyed.waiting))).toHaveLength(keys.length * perKey);
      expect(unique(ids(ofDefault.letters))).toEqual(['dead', 'dead for a day']);
      // Recognised by its idempotency key, where there are such.
      if (to !== 'amqp') {
        expect(ofKeyed.waiting).toHaveLength(keys.length * perKey);
        expect(ofDefault.letters).toHaveLength(3);
      }
    });
  });
});

test('what RabbitMQ cannot give yet is counted as left, and comes with the next run', {
  timeout: 120_000,
}, async () => {
  const [source, target] = [await freshUrl.amqp(), await freshUrl.sqlite()];
  // Above what the first move takes on a busy machine.
  await fill(source, 15_000);

  const first = await move(source, target);
  const second = await move(source, target, { wait: true });

  expect(first.left.inTransit).toBe(2);
  expect(second.left.inTransit).toBe(0);
  expect(second.groups.reduce((sum, { messages }) => sum + messages, 0)).toBe(2);
});

test('a source that is published to meanwhile is refused, and moved when that is said to be fine', {
  timeout: 60_000,
}, async () => {
  const [source, target] = [await freshUrl.sqlite(), await freshUrl.sqlite()];
  await fill(source, anHourMs);
  await withDriver(source, async (publisher) => {
    const publishing = setInterval(() => void sendAll(publisher, [entry('keyed', 'more')]), 20);
    try {
      await expect(move(source, target)).rejects.toMatchObject({ code: 'conflict' });
      expect((await publisher.admin.depth('keyed', 'default')).paused).toBe(false);
    } finally {
      clearInterval(publishing);
    }
  });

  await withDriver(source, async (consumer) => {
    const reader = await consumer.subscribe({
      topic: 'keyed',
      group: 'default',
      prefetch: 1,
      consumer: 'c',
      onLost() {},
    });
    await reader.receive(1, 1_000, new AbortController().signal);

    await expect(move(source, target)).rejects.toMatchObject({ code: 'conflict' });
    const { left } = await move(source, target, { evenIfInUse: true, inHandMs: 100 });

    expect(left).toMatchObject({ inHand: 1 });
  });
  expect((await move(source, target)).left).toMatchObject({ inHand: 0 });
});

test.each([
  ['sqlite', /process \d+ of .* consumes it/],
  ['mysql', /a process consumes it/],
  ['amqp', /queue ".*" is consumed/],
] as const)(
  'a source on %s that a consumer waits at is in use, though nothing changes',
  { timeout: 60_000 },
  async (from, who) => {
    const [source, target] = [await freshUrl[from](), await freshUrl.sqlite()];
    await withDriver(source, async (consumer) => {
      await consumer.declare({ topics: [{ ...plain, name: 'idle' }] }, { mode: 'assert', change: false });
      const reader = await consumer.subscribe({
        topic: 'idle',
        group: 'default',
        prefetch: 1,
        consumer: 'c',
        onLost() {},
      });
      // A file knows who ever had a message.
      await sendAll(consumer, [entry('idle', 'first')]);
      const [first] = await reader.receive(1, 10_000, new AbortController().signal);
      await reader.settle([{ kind: 'ack', receipt: first?.receipt ?? {}, outbox: [] }]);
      const waiting = reader.receive(1, 30_000, new AbortController().signal);

      await expect(move(source, target)).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringMatching(who),
      });

      expect((await consumer.admin.depth('idle', 'default')).paused).toBe(false);
      await reader.close();
      await waiting;
    });
  },
);

test('what is published and consumed one for one, by processes that come and go, is use', async () => {
  const [source, target] = [await freshUrl.sqlite(), await freshUrl.sqlite()];
  await fill(source, anHourMs);
  const watchMs = 1_234;
  const between: Clock = {
    ...systemClock,
    schedule(callback, ms) {
      if (ms !== watchMs) return systemClock.schedule(callback, ms);
      void withDriver(source, async (other) => {
        await sendAll(other, [entry('keyed', 'one more')]);
        await other.admin.drain?.('keyed', 'default', 1, async () => {});
      }).then(callback);
      return () => {};
    },
  };

  const watched = move(source, target, { clock: between, watchMs });

  await expect(watched).rejects.toMatchObject({ code: 'conflict' });
});

test('a plan says what is there, and changes nothing', async () => {
  const source = await freshUrl.sqlite();
  await fill(source, anHourMs);

  const plan = await planMove(await driverOf(source));

  expect(
    plan.groups.map(({ topic, group, depth: { ready, delayed, dead, paused } }) => [
      topic,
      group,
      ready,
      delayed,
      dead,
      paused,
    ]),
  ).toEqual([
    ['keyed', 'default', 60, 0, 0, false],
    ['plain.images', 'audit', 2, 1, 0, false],
    ['plain.images', 'default', 6, 1, 3, false],
  ]);
});

test('a target that has another topic of the same name is a mismatch, and nothing is moved', async () => {
  const [source, target] = [await freshUrl.sqlite(), await freshUrl.sqlite()];
  await fill(source, anHourMs);
  await withDriver(target, (driver) =>
    driver.declare(
      {
        topics: [
          {
            name: 'keyed',
            ordering: 'none',
            lanes: 1,
            groups: [{ name: 'default', patterns: ['#'] }],
            maxRedeliveries: 20,
            expectedDelaysMs: [],
          },
        ],
      },
      { mode: 'assert', change: false },
    ),
  );

  await expect(move(source, target)).rejects.toMatchObject({ code: 'topology-mismatch' });

  expect((await planMove(await driverOf(source))).groups[0]?.depth.ready).toBe(60);
});
