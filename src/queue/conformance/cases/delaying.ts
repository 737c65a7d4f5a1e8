import assert from 'node:assert/strict';
import { many, sorted } from '../bench.js';
import { type Case, driverCase, promise, queueCase } from '../case.js';
import type { DeadLetter, Driver, DriverSubscription, Queue } from '../contract.js';
import { ack, type DriverBench, type DriverTopic, idsOf } from '../driver-bench.js';
import { type AnyTopic, ids } from '../queue-bench.js';

export const delaying: readonly Case[] = [
  ...promise(
    '2.1',
    "`publishAfter` is the same, and no subscriber sees the message before `delayMs` has passed on the backend's time, whatever any client's clock says; milliseconds count, and what is rounded is rounded up to the declared resolution.",
    [
      driverCase('a-delayed-message-is-not-seen-early-nor-late', async (bench) => {
        const topic = await bench.declare();
        const reader = await bench.subscribe(topic);

        for (const delayMs of [1, 250, 999, 1_500]) await comesAfter(bench, topic, reader, delayMs);
      }),
      driverCase(
        'a-delayed-message-waits-in-full-to-the-millisecond',
        async (bench) => {
          const topic = await bench.declare();
          const reader = await bench.subscribe(topic);
          await bench.send(bench.entry(topic, 'later', { delayMs: 250 }));

          await bench.time.pass(249);
          await bench.nothing(reader);
          await bench.time.pass(Math.max(1, bench.capabilities.delay.resolutionMs));

          assert.deepEqual(idsOf(await bench.receive(reader, 1)), ['later']);
        },
        'virtual time',
      ),
      driverCase(
        'a-client-whose-clock-is-wrong-delays-correctly',
        async (bench) => {
          const topic = await bench.declare();
          const { clientWithWrongClock } = bench.harness;
          for (const offsetMs of [-300_000, 300_000]) {
            const driver = await bench.open(clientWithWrongClock?.(offsetMs));
            const reader = await bench.subscribe(topic, { driver });
            await comesAfter(bench, topic, reader, 400, driver);
            await bench.time.until(reader.close());
          }
        },
        'clientWithWrongClock',
      ),
      queueCase(
        'the-wrong-clock-of-a-publisher-and-a-consumer-changes-no-delay',
        async (bench) => {
          const topic = bench.topic({ backoff: { initialMs: 300, jitter: 0 } });
          const fast = await bench.opened([topic], { client: bench.harness.clientWithWrongClock?.(300_000) });
          const slow = await bench.opened([topic], { client: bench.harness.clientWithWrongClock?.(-300_000) });
          const seen: [number, number][] = [];
          const startedAt = bench.time.now();
          await bench.consume(slow.queue, topic, ({ attempt }) => {
            seen.push([attempt, bench.time.now() - startedAt]);
            if (attempt === 1) throw new Error('again');
          });

          await fast.queue.publishAfter(topic, 1, 400);
          await bench.time.eventually('it has come twice', () => seen.length === 2);

          const [first = 0, second = 0] = seen.map(([, atMs]) => atMs);
          const { lateMs } = bench.time;
          assert.ok(first >= 400 && first <= 400 + bench.capabilities.delay.resolutionMs + lateMs, `${first} ms`);
          assert.ok(
            second - first >= 300 && second - first <= 300 + bench.capabilities.delay.resolutionMs + lateMs,
            `${second - first} ms`,
          );
        },
        'clientWithWrongClock',
      ),
      queueCase('publish-after-waits-for-its-delay', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const seen: [string, number][] = [];
        const startedAt = bench.time.now();
        await bench.consume(queue, topic, ({ message }) => seen.push([message.id, bench.time.now() - startedAt]));

        const delayMs = bench.time.ample(250);
        await queue.publishAfter(topic, 1, delayMs, { id: 'later' });
        await queue.publish(topic, 0, { id: 'now' });
        await bench.time.eventually('both have come', () => seen.length === 2);

        assert.deepEqual(
          seen.map(([id]) => id),
          ['now', 'later'],
        );
        const tookMs = seen[1]?.[1] ?? 0;
        const latestMs = delayMs + bench.capabilities.delay.resolutionMs + bench.time.lateMs;
        assert.ok(tookMs >= delayMs && tookMs <= latestMs, `came after ${tookMs} ms`);
      }),
      queueCase(
        'a-fraction-of-the-resolution-is-rounded-up',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);
          const { resolutionMs } = bench.capabilities.delay;
          const { seen } = await bench.consume(queue, topic);

          await queue.publishAfter(topic, null, 10.5 * resolutionMs);
          await bench.time.pass(10.25 * resolutionMs);
          const early = seen.length;
          await bench.time.pass(resolutionMs);

          assert.deepEqual([early, seen.length], [0, 1]);
        },
        'virtual time',
      ),
      queueCase('everything-about-a-message-is-kept-through-its-delay', async (bench) => {
        const topic = bench.topic({ ordering: 'key' });
        const queue = await bench.queue([topic]);
        const options = { id: 'kept', key: 'k', routingKey: 'a.b', headers: { h: 'v' } };

        await queue.publishAfter(topic, { text: 'body' }, 200, options);
        const { seen } = await bench.consume(queue, topic);
        await bench.time.eventually('it has come', () => seen.length === 1);

        const message = seen[0]?.message;
        const kept = { id: message?.id, key: message?.key, routingKey: message?.routingKey };
        assert.deepEqual({ ...kept, headers: { ...message?.headers } }, options);
        assert.deepEqual(message?.body, { text: 'body' });
      }),
    ],
  ),
  ...promise('2.2', 'A delayed message goes on falling due while none of our processes runs.', [
    queueCase('what-fell-due-while-nobody-ran-is-there-at-the-start', async (bench) => {
      const topic = bench.topic();
      const before = await bench.queue([topic]);
      await before.publishAfter(topic, 1, 400, { id: 'later' });
      await bench.time.until(before.close());

      await bench.time.pass(600);

      const after = await bench.queue([topic]);
      const startedAt = bench.time.now();
      const { seen } = await bench.consume(after, topic);
      await bench.time.eventually('it has come', () => seen.length === 1, 5_000);
      const tookMs = bench.time.now() - startedAt;
      assert.ok(tookMs <= 50 + bench.time.lateMs, `${tookMs} ms after the start`);
    }),
    driverCase(
      'a-delayed-message-survives-a-restart-of-the-backend-and-comes-once',
      async (bench) => {
        const topic = await bench.declare();
        await bench.send(bench.entry(topic, 'later', { delayMs: 2_000 }));

        await bench.harness.restartBackend?.();

        const reader = await bench.subscribe(topic, { driver: await bench.open() });
        assert.deepEqual(idsOf(await bench.receive(reader, 1)), ['later']);
        await bench.nothing(reader, 3_000);
      },
      'restartBackend',
      'durable',
    ),
  ]),
  ...promise('2.3', 'A delay of zero or less is at once.', [
    queueCase('zero-and-negative-delays-are-at-once', async (bench) => {
      const topic = bench.topic();
      const queue = await bench.queue([topic]);

      for (const delayMs of [0, -1, -1_000_000_000, -0]) await queue.publishAfter(topic, delayMs, delayMs);

      assert.equal((await bench.drain(queue, topic)).length, 4);
    }),
  ]),
  ...promise(
    '2.4',
    'A delay that is not finite, or over the declared maximum, is an error and nothing is stored; the maximum itself is taken, and no delay is ever cut short.',
    [
      queueCase('a-delay-that-cannot-be-is-refused-and-nothing-is-stored', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const { maxMs } = bench.capabilities.delay;

        for (const delayMs of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, maxMs + 1, '5' as never])
          await bench.rejects('invalid', queue.publishAfter(topic, 1, delayMs));

        await bench.isEmpty(queue, topic);
        assert.deepEqual(await bench.drain(queue, topic), []);
      }),
      queueCase('the-longest-delay-is-taken-and-not-cut-short', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);

        await queue.publishAfter(topic, 1, bench.capabilities.delay.maxMs, { id: 'far' });

        const { seen } = await bench.consume(queue, topic);
        await bench.time.settle();
        assert.deepEqual(seen, []);
      }),
      queueCase(
        'delays-of-thirty-days-are-possible-and-kept',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);
          const thirtyDaysMs = 30 * 24 * 60 * 60 * 1_000;
          await queue.publishAfter(topic, 1, thirtyDaysMs, { id: 'far' });
          await bench.time.pass(thirtyDaysMs - 1_000);

          const reading = bench.subscribe(queue, topic);

          assert.equal(await reading.nextNow(), null);
          await bench.time.pass(1_000);
          assert.equal((await reading.next()).message.id, 'far');
        },
        'virtual time',
      ),
    ],
  ),
  ...promise(
    '2.5',
    'A published message starts with attempt 1, whatever was happening to the message in whose handler it was published, also under the same id.',
    [
      queueCase('a-message-published-from-a-handler-is-a-fresh-one', async (bench) => {
        const topic = bench.topic({ backoff: { initialMs: 10, jitter: 0 } });
        const queue = await bench.queue([topic]);
        const seen: unknown[] = [];
        await bench.consume(queue, topic, async (delivery) => {
          const { message, attempt, postpones } = delivery;
          seen.push([message.body, attempt, postpones]);
          if (message.body === 'fresh') return;
          if (attempt === 1) throw new Error('again');
          if (postpones === 0) return delivery.postpone(10);
          await queue.publishAfter(topic, 'fresh', 20, { id: message.id });
          await delivery.outbox.publishAfter(topic, 'fresh', 40, { id: message.id });
        });

        await queue.publish(topic, 'old', { id: 'same' });
        await bench.time.eventually('all have come', () => seen.length === 5);

        assert.deepEqual(seen, [
          ['old', 1, 0],
          ['old', 2, 0],
          ['old', 2, 1],
          ['fresh', 1, 0],
          ['fresh', 1, 0],
        ]);
      }),
    ],
  ),
  ...promise(
    '12.1',
    'A delayed message, however many there are and however long they wait, holds up nothing else and costs nothing while it waits.',
    [
      driverCase('a-long-delay-does-not-hold-up-a-short-one', async (bench) => {
        const topic = await bench.declare();
        const stepMs = bench.time.ample(150) / 3;
        await bench.send(
          bench.entry(topic, 'a minute', { delayMs: 60_000 + 6 * stepMs }),
          ...[2, 3, 1, 5, 4, 0].map((steps) => bench.entry(topic, `${steps} steps`, { delayMs: steps * stepMs })),
        );
        const reader = await bench.subscribe(topic);

        const seen: (string | null)[] = [];
        while (seen.length < 6) {
          const received = await bench.receive(reader, 1);
          seen.push(...idsOf(received));
          await bench.settleDone(reader, ...received.map(({ receipt }) => ack(receipt)));
        }

        assert.deepEqual(
          seen,
          many(6, (n) => `${n} steps`),
        );
      }),
      driverCase('ten-thousand-messages-of-the-far-future-hold-up-nobody', async (bench) => {
        const topic = await bench.declare();
        await bench.send(...many(10_000, (n) => bench.entry(topic, `far ${n}`, { delayMs: 86_400_000 + n })));
        const reader = await bench.subscribe(topic, { prefetch: 1 });
        await bench.send(bench.entry(topic, 'now'));

        assert.deepEqual(idsOf(await bench.receive(reader, 1)), ['now']);
        await bench.nothing(reader);
      }),
      driverCase('what-falls-due-at-one-time-comes-once-to-competing-readers', async (bench) => {
        const topic = await bench.declare();
        await bench.send(...many(1_000, (n) => bench.entry(topic, `m${n}`, { delayMs: 500 })));
        const drivers = await Promise.all(many(4, () => bench.open()));
        const readers = await Promise.all(
          many(20, (n) => bench.subscribe(topic, { driver: drivers[n % 4] as Driver })),
        );

        await bench.time.pass(500);
        const seen: (string | null)[] = [];
        await bench.time.eventually('all have come', async () => {
          for (const reader of readers) {
            const received = await bench.ask(reader, 20, 0);
            seen.push(...idsOf(received));
            await reader.settle(received.map(({ receipt }) => ({ kind: 'ack', receipt, outbox: [] })));
          }
          return seen.length >= 1_000;
        });

        assert.deepEqual(sorted(seen), sorted(many(1_000, (n) => `m${n}`)));
        await Promise.all(readers.map((reader) => bench.nothing(reader)));
      }),
    ],
  ),
  ...promise('12.2', 'A message that waits for its delay eats no prefetch.', [
    queueCase('retries-that-wait-leave-room-for-others', async (bench) => {
      const topic = bench.topic({ maxAttempts: Number.POSITIVE_INFINITY });
      const queue = await bench.queue([topic]);
      const acked: string[] = [];
      await bench.consume(
        queue,
        topic,
        (delivery) => {
          const { id } = delivery.message;
          if (id.startsWith('failing')) return delivery.nack(3_600_000);
          if (id.startsWith('postponed')) return delivery.postpone(3_600_000);
          acked.push(id);
          return undefined;
        },
        { prefetch: 2, concurrency: 2 },
      );

      for (let n = 0; n < 10; n++) {
        await queue.publish(topic, n, { id: `failing ${n}` });
        await queue.publish(topic, n, { id: `postponed ${n}` });
        await queue.publishAfter(topic, n, 3_600_000, { id: `delayed ${n}` });
      }
      await queue.publish(topic, 1, { id: 'good' });

      await bench.time.eventually('the good one has come', () => acked.length === 1);
    }),
  ]),
  ...promise(
    '12.3',
    "A delayed message whose destination is gone when it falls due stops nobody else's delays; it becomes a lost letter: kept, counted, listed and redriven like a dead letter.",
    [
      queueCase('the-delays-of-a-group-that-is-gone-stop-nobody-else', async (bench) => {
        const topic = bench.topic({ groups: { default: {}, gone: {} } });
        const other = bench.topic();
        const queue = await bench.queue([topic, other]);
        await queue.publishAfter(topic, 1, bench.time.ample(200), { id: 'shared' });
        await queue.publishAfter(other, 1, bench.time.ample(300), { id: 'other' });

        await queue.admin.removeGroup(topic, 'gone');
        const { seen } = await bench.consume(queue, topic);
        const { seen: seenByOther } = await bench.consume(queue, other);
        await bench.time.eventually('the others have come', () => seen.length + seenByOther.length === 2);

        assert.deepEqual([ids(seen), ids(seenByOther)], [['shared'], ['other']]);
        await bench.time.eventually('the letter is lost', async () => (await lostOf(queue, topic)).length > 0);
        assert.deepEqual(
          (await lostOf(queue, topic)).map(({ id, group, death }) => [id, group, death]),
          [['shared', 'gone', null]],
        );
      }),
      queueCase('a-lost-letter-is-redriven-when-its-destination-is-back-and-stays-until-then', async (bench) => {
        const topic = bench.topic({ groups: { default: {}, gone: {} } });
        const queue = await bench.queue([topic]);
        const id = bench.name('lost');
        const delayMs = bench.time.ample(100);
        await queue.publishAfter(topic, 'body', delayMs, { id });
        await queue.admin.removeGroup(topic, 'gone');
        const isLost = async (): Promise<boolean> => (await lostOf(queue, topic)).length > 0;
        await bench.time.pass(delayMs);
        await bench.time.eventually('the letter is lost', isLost);

        const whileGone = await queue.admin.lostLetters.redrive([id]);
        assert.deepEqual([whileGone, await isLost()], [0, true]);
        await queue.admin.addGroup(topic, 'gone');
        const whenBack = await queue.admin.lostLetters.redrive([id]);

        assert.deepEqual([whenBack, await isLost()], [1, false]);
        const seen = await bench.drain(queue, topic, 'gone');
        assert.deepEqual(
          seen.map(({ message, attempt }) => [message.id, message.body, attempt]),
          [[id, 'body', 1]],
        );
      }),
      queueCase('lost-letters-can-be-purged', async (bench) => {
        const topic = bench.topic({ groups: { default: {}, gone: {} } });
        const queue = await bench.queue([topic]);
        const id = bench.name('lost');
        const delayMs = bench.time.ample(100);
        await queue.publishAfter(topic, 'body', delayMs, { id });
        await queue.admin.removeGroup(topic, 'gone');
        await bench.time.pass(delayMs);
        const isLost = async (): Promise<boolean> => (await lostOf(queue, topic)).length > 0;
        await bench.time.eventually('the letter is lost', isLost);

        assert.deepEqual([await queue.admin.lostLetters.purge([id]), await isLost()], [1, false]);
      }),
    ],
  ),
];

/** The lost letters of one topic: their box is everybody's, and may hold those of earlier runs. */
async function lostOf(queue: Queue, topic: AnyTopic): Promise<readonly DeadLetter[]> {
  const letters: DeadLetter[] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<Queue['admin']['lostLetters']['list']>> = await queue.admin.lostLetters.list({
      limit: 1_000,
      cursor,
    });
    letters.push(...page.letters.filter((letter) => letter.topic === topic.name));
    cursor = page.next;
  } while (cursor !== null);
  return letters;
}

async function comesAfter(
  bench: DriverBench,
  topic: DriverTopic,
  reader: DriverSubscription,
  delayMs: number,
  driver = bench.driver,
): Promise<void> {
  const { resolutionMs } = bench.capabilities.delay;
  const startedAt = bench.time.now();
  await bench.time.until(driver.send([bench.entry(topic, `after ${delayMs}`, { delayMs })]));
  // Where time goes by itself, the look alone takes longer than the shortest of the delays.
  if (bench.time.isVirtual) await bench.nothing(reader, 0);

  const received = await bench.ask(reader, 1, delayMs + 5_000);

  const tookMs = bench.time.now() - startedAt;
  assert.deepEqual(idsOf(received), [`after ${delayMs}`]);
  assert.ok(tookMs >= delayMs, `a delay of ${delayMs} ms took only ${tookMs} ms`);
  const latestMs = delayMs + resolutionMs + bench.time.lateMs;
  assert.ok(tookMs <= latestMs, `a delay of ${delayMs} ms took ${tookMs} ms`);
  await bench.settleDone(reader, ...received.map(({ receipt }) => ({ kind: 'ack' as const, receipt, outbox: [] })));
}
