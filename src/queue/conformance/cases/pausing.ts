import assert from 'node:assert/strict';
import { gate, many, sorted } from '../bench.js';
import { type Case, driverCase, promise, queueCase } from '../case.js';
import { ack, idsOf, release } from '../driver-bench.js';
import { ids } from '../queue-bench.js';
import { unhurried } from '../unhurried.js';

const quick = { initialMs: 20, jitter: 0 };

export const pausing: readonly Case[] = [
  ...promise(
    '28.1',
    'Once `pause` has resolved, no subscriber of the group, in any process, starts a message: what was handed out and not started goes back; what is in hand goes on and is settled as ever.',
    [
      queueCase('nothing-is-started-once-a-pause-has-resolved', async (bench) => {
        const topic = bench.topic();
        const [one, other] = [await bench.queue([topic]), await bench.queue([topic])];
        const slow = gate();
        const first = await bench.consume(one, topic, () => slow.opened, { concurrency: 1, prefetch: 5 });
        const second = await bench.consume(other, topic, () => slow.opened, { concurrency: 1, prefetch: 5 });
        const seen = (): readonly string[] => [...ids(first.seen), ...ids(second.seen)];
        for (const id of many(20, String)) await one.publish(topic, null, { id });
        await bench.time.eventually('both work', () => first.seen.length === 1 && second.seen.length === 1);

        const third = await bench.queue([topic]);
        await bench.time.until(third.admin.pause(topic));
        const started = seen().length;
        slow.open();
        await bench.time.settle();
        await bench.time.pass(200);

        const whilePaused = seen().length;
        const { ready, inHand } = await bench.time.until(third.admin.depth(topic));
        await bench.time.until(third.admin.resume(topic));
        await bench.time.eventually('all have come', () => seen().length === 20);
        await bench.time.settle();
        assert.deepEqual([started, whilePaused], [2, 2]);
        assert.deepEqual([ready ?? 18, inHand ?? 0], [18, 0]);
        assert.deepEqual(sorted(seen()), sorted(many(20, String)));
        await bench.isEmpty(one, topic);
      }),
      queueCase('what-is-in-hand-when-its-group-is-paused-is-settled-as-ever', async (bench) => {
        const topic = bench.topic({ backoff: quick });
        const queue = await bench.queue([topic]);
        const settled = bench.listen(queue, 'settled');
        const slow = gate();
        const { seen } = await bench.consume(queue, topic, async (delivery) => {
          await slow.opened;
          const { id } = delivery.message;
          if (id === 'nack' && delivery.attempt === 1) await delivery.nack(0);
          if (id === 'postpone' && delivery.postpones === 0) await delivery.postpone(1);
          if (id === 'reject') await delivery.reject('poison');
        });
        for (const id of ['ack', 'nack', 'postpone', 'reject']) await queue.publish(topic, null, { id });
        await bench.time.eventually('all are in hand', () => seen.length === 4);

        await bench.time.until(queue.admin.pause(topic));
        slow.open();
        await bench.time.eventually('all are settled', () => settled.length === 4);
        await bench.time.settle();
        await bench.time.pass(200);

        const verbs = sorted(settled.map(({ id, verb }) => `${id} by ${verb}`));
        const again = seen.length;
        const { letters } = await queue.admin.deadLetters(topic).list();
        await bench.time.until(queue.admin.resume(topic));
        await bench.time.eventually('the others come again', () => seen.length === 6);
        assert.deepEqual(verbs, ['ack by ack', 'nack by nack', 'postpone by postpone', 'reject by reject']);
        assert.deepEqual([again, letters.map(({ id }) => id)], [4, ['reject']]);
      }),
      queueCase('what-was-not-started-goes-back-and-is-no-attempt', async (bench) => {
        const topic = bench.topic();
        const [queue, other] = [await bench.queue([topic]), await bench.queue([topic])];
        const slow = gate();
        const { seen, consumer } = await bench.consume(queue, topic, () => slow.opened, { concurrency: 1 });
        for (const id of many(3, String)) await queue.publish(topic, null, { id });
        await bench.time.eventually('one is in hand', () => seen.length === 1);

        await bench.time.until(queue.admin.pause(topic));
        await bench.time.eventually('it holds that one alone', () => queue.health().consumers[0]?.held === 1);
        slow.open();
        await bench.time.until(consumer.close());
        await bench.time.until(other.admin.resume(topic));
        const { seen: rest } = await bench.consume(other, topic);
        await bench.time.eventually('the others have come', () => rest.length === 2);

        const most = bench.capabilities.countsGiveBack ? 1 : 0;
        assert.deepEqual(
          rest.map(({ attempt, postpones }) => [attempt, postpones]),
          [
            [1, 0],
            [1, 0],
          ],
        );
        for (const { redeliveries } of rest) assert.ok(redeliveries <= most, `${redeliveries} redeliveries`);
      }),
      queueCase('whoever-subscribes-to-a-paused-group-waits', async (bench) => {
        const topic = bench.topic();
        const [queue, other] = [await bench.queue([topic]), await bench.queue([topic])];
        await bench.time.until(queue.admin.pause(topic));
        await queue.publish(topic, null, { id: 'waits' });

        const { seen } = await bench.consume(other, topic);
        await bench.time.settle();
        await bench.time.pass(200);

        const early = seen.length;
        await bench.time.until(queue.admin.resume(topic));
        await bench.time.eventually('it has come', () => seen.length === 1);
        assert.equal(early, 0);
      }),
      queueCase('two-who-pause-at-once-are-both-certain', async (bench) => {
        const topic = bench.topic({ groups: { a: {}, b: {} } });
        const [one, other] = [await bench.queue([topic]), await bench.queue([topic])];
        const seen = [
          (await bench.consume(one, topic, () => {}, { group: 'a' })).seen,
          (await bench.consume(other, topic, () => {}, { group: 'b' })).seen,
        ];

        await bench.time.until(
          Promise.all([one.admin.pause(topic, 'a'), other.admin.pause(topic, 'a'), other.admin.pause(topic, 'b')]),
        );
        await one.publish(topic, null);
        await bench.time.settle();
        await bench.time.pass(100);

        const early = seen.map(({ length }) => length);
        await bench.time.until(Promise.all([one.admin.resume(topic, 'b'), other.admin.resume(topic, 'a')]));
        await bench.time.eventually('both have come', () => seen.every(({ length }) => length === 1));
        assert.deepEqual(early, [0, 0]);
      }),
    ],
  ),
  ...promise(
    '28.2',
    'While a group is paused nothing is lost: publishing goes on, retries, delays and lost leases wait with what is ready and keep their order, and other groups are served. A pause holds over restarts, of clients and of the backend.',
    [
      driverCase('of-a-paused-group-nothing-is-handed-out-whatever-falls-due', async (bench) => {
        const topic = await bench.declare({
          groups: [
            { name: 'default', patterns: ['#'] },
            { name: 'other', patterns: ['#'] },
          ],
        });
        const reader = await bench.subscribe(topic);
        const ofOther = await bench.subscribe(topic, { group: 'other' });
        await bench.send(bench.entry(topic, 'retried'));
        const { receipt } = await bench.receiveOne(reader);

        await bench.time.until(bench.driver.admin.pause(topic.name, 'default'));
        await bench.settleDone(reader, release(receipt, 0, { attempt: 2 }));
        await bench.send(bench.entry(topic, 'delayed', { delayMs: 50 }), bench.entry(topic, 'at once'));
        await bench.time.pass(300);

        const early = idsOf(await bench.ask(reader, 10));
        const others = await bench.receive(ofOther, 3);
        await bench.time.until(bench.driver.admin.resume(topic.name, 'default'));
        const all = await bench.receive(reader, 3);
        assert.deepEqual(early, []);
        assert.deepEqual(sorted(idsOf(others)), ['at once', 'delayed', 'retried']);
        assert.deepEqual(sorted(idsOf(all)), ['at once', 'delayed', 'retried']);
      }),
      driverCase(
        'a-lease-that-ends-while-its-group-is-paused-hands-nothing-out',
        async (bench) => {
          const topic = await bench.declare();
          const reader = await bench.subscribe(topic);
          await bench.send(bench.entry(topic, 'held'));
          await bench.receiveOne(reader);

          await bench.time.until(bench.driver.admin.pause(topic.name, 'default'));
          await bench.time.pass(1.5 * (bench.capabilities.lease?.ms ?? 0));
          const early = idsOf(await bench.ask(reader, 10));
          await bench.time.until(bench.driver.admin.resume(topic.name, 'default'));
          const again = await bench.receiveOne(reader);

          assert.deepEqual([early, again.message.id, again.redeliveries], [[], 'held', 1]);
        },
        'lease',
      ),
      queueCase('an-ordered-topic-that-was-paused-keeps-the-order-of-its-keys', async (bench) => {
        const topic = bench.topic({ ordering: 'key', lanes: 2 });
        const [one, other] = [await bench.queue([topic]), await bench.queue([topic])];
        const seen: string[] = [];
        let running = 0;
        let most = 0;
        const handle = async ({ message }: { readonly message: { readonly id: string } }): Promise<void> => {
          seen.push(message.id);
          if (message.id.startsWith('a')) most = Math.max(most, ++running);
          await bench.time.sleep(10);
          if (message.id.startsWith('a')) running--;
        };
        await bench.consume(one, topic, handle, { prefetch: 8 });
        await bench.consume(other, topic, handle, { prefetch: 8 });
        const publish = async (from: number, to: number): Promise<void> => {
          for (let n = from; n < to; n++) {
            for (const key of ['a', 'b', 'c']) await one.publish(topic, null, { id: `${key}${n}`, key });
          }
        };
        await publish(0, 10);
        await bench.time.eventually('some have come', () => seen.length > 3);

        await bench.time.until(other.admin.pause(topic));
        const atPause = seen.length;
        await publish(10, 15);
        await bench.time.settle();
        const beforeResume = seen.length;
        await bench.time.until(one.admin.resume(topic));
        await bench.time.eventually('all have come', () => seen.length === 45);

        assert.equal(beforeResume, atPause);
        for (const key of ['a', 'b', 'c']) {
          const inOrder = many(15, (n) => `${key}${n}`);
          assert.deepEqual(
            seen.filter((id) => id.startsWith(key)),
            inOrder,
          );
        }
        assert.equal(most, 1);
      }),
      queueCase('a-pause-holds-for-clients-that-come-later', async (bench) => {
        const topic = bench.topic();
        const first = await bench.queue([topic]);
        await bench.time.until(first.admin.pause(topic));
        await first.publish(topic, null, { id: 'waits' });
        await bench.time.until(first.close());

        const second = await bench.queue([topic]);
        const { seen } = await bench.consume(second, topic);
        await bench.time.settle();
        const early = seen.length;
        const { paused } = await bench.time.until(second.admin.depth(topic));
        await bench.time.until(second.admin.resume(topic));
        await bench.time.eventually('it has come', () => seen.length === 1);

        assert.deepEqual([early, paused], [0, true]);
      }),
      driverCase(
        'a-pause-holds-over-a-restart-of-the-backend',
        async (bench) => {
          const topic = await bench.declare();
          const reader = await bench.subscribe(topic);
          await bench.send(bench.entry(topic, 'waits'));
          await bench.time.until(bench.driver.admin.pause(topic.name, 'default'));

          await bench.harness.restartBackend?.();
          const later = await bench.open();
          await bench.time.pass(1_000);
          const early = [
            ...(await bench.ask(reader, 10).catch(() => [])),
            ...(await bench.ask(await bench.subscribe(topic, { driver: later }), 10)),
          ];
          await bench.time.until(later.admin.resume(topic.name, 'default'));
          const seen: (string | null)[] = [];
          const last = await bench.subscribe(topic, { driver: later });
          await bench.time.eventually('it comes', async () => {
            for (const each of [reader, last]) seen.push(...idsOf(await bench.ask(each, 1, 50).catch(() => [])));
            return seen.length > 0;
          });

          assert.deepEqual([early, seen], [[], ['waits']]);
        },
        'durable',
        'restartBackend',
      ),
      queueCase('a-group-that-is-removed-takes-its-pause-along', async (bench) => {
        const topic = bench.topic({ groups: { default: {}, gone: {} } });
        const queue = await bench.queue([topic]);
        await bench.time.until(queue.admin.pause(topic, 'gone'));

        await bench.time.until(queue.admin.removeGroup(topic, 'gone'));
        await bench.time.until(queue.admin.addGroup(topic, 'gone'));
        const { paused } = await bench.time.until(queue.admin.depth(topic, 'gone'));
        await queue.publish(topic, null);
        const { seen } = await bench.consume(queue, topic, () => {}, { group: 'gone' });
        await bench.time.eventually('it has come', () => seen.length === 1);

        assert.equal(paused, false);
      }),
      queueCase('declaring-again-leaves-a-pause-as-it-is', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await bench.time.until(queue.admin.pause(topic));

        await bench.time.until(queue.setup());
        const { paused } = await bench.time.until((await bench.queue([topic])).admin.depth(topic));

        assert.equal(paused, true);
      }),
    ],
  ),
  ...promise(
    '28.3',
    '`resume` lets the group flow at once and wakes who waits. Pausing or resuming twice is once; an unknown topic or group is `not-found`.',
    [
      driverCase('a-resume-wakes-who-waits', async (bench) => {
        const topic = await bench.declare();
        const [reader, later] = [await bench.subscribe(topic), await bench.open()];
        await bench.time.until(bench.driver.admin.pause(topic.name, 'default'));
        await bench.send(bench.entry(topic, 'waits'));
        const pending = reader.receive(1, 60_000, unhurried());
        await bench.time.settle();

        const before = bench.time.now();
        await bench.time.until(later.admin.resume(topic.name, 'default'));
        const received = await bench.time.until(pending, 5_000);

        const tookMs = bench.time.now() - before;
        await bench.settleDone(reader, ...received.map(({ receipt }) => ack(receipt)));
        assert.deepEqual(idsOf(received), ['waits']);
        assert.ok(tookMs <= bench.time.lateMs, `${tookMs} ms`);
      }),
      queueCase('pausing-and-resuming-twice-is-once', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const { seen } = await bench.consume(queue, topic);

        for (let n = 0; n < 2; n++) await bench.time.until(queue.admin.pause(topic));
        await queue.publish(topic, null, { id: 'one' });
        await bench.time.settle();
        const early = seen.length;
        for (let n = 0; n < 2; n++) await bench.time.until(queue.admin.resume(topic));
        await bench.time.eventually('it has come', () => seen.length === 1);
        await queue.publish(topic, null, { id: 'two' });
        await bench.time.eventually('the next one has come', () => seen.length === 2);

        assert.equal(early, 0);
      }),
      queueCase('what-does-not-exist-is-neither-paused-nor-resumed', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);

        await bench.rejects('not-found', queue.admin.pause(topic, 'nobody'));
        await bench.rejects('not-found', queue.admin.resume(topic, 'nobody'));
        await bench.rejects('not-found', queue.admin.pause(bench.name('no-such-topic')));
        await bench.rejects('not-found', queue.admin.resume(bench.name('no-such-topic')));
        await bench.rejects('invalid', queue.admin.pause(topic, ''));
      }),
    ],
  ),
  ...promise('28.4', '`depth` says that a group is paused, and `health` that a consumer waits for it.', [
    queueCase('depth-and-health-say-that-a-group-is-paused', async (bench) => {
      const topic = bench.topic();
      const [queue, other] = [await bench.queue([topic]), await bench.queue([topic])];
      await bench.consume(queue, topic);
      const look = async (): Promise<readonly unknown[]> => [
        (await bench.time.until(other.admin.depth(topic))).paused,
        queue.health().consumers.map(({ paused }) => paused),
        queue.health().status,
      ];

      const before = await look();
      await bench.time.until(other.admin.pause(topic));
      const during = await look();
      await bench.time.until(other.admin.resume(topic));
      await bench.time.eventually('its consumer knows', () => queue.health().consumers[0]?.paused === false);

      assert.deepEqual(before, [false, [false], 'ok']);
      assert.deepEqual(during, [true, [true], 'ok']);
      assert.deepEqual(await look(), before);
    }),
  ]),
];
