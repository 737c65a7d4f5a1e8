import assert from 'node:assert/strict';
import type { Received } from '../../driver.js';
import { gate, many, never, sorted } from '../bench.js';
import { type Case, driverCase, promise, queueCase } from '../case.js';
import type { DriverEvent } from '../contract.js';
import { ack, idsOf } from '../driver-bench.js';
import { Interruption } from '../interference.js';
import { bodies, ids } from '../queue-bench.js';
import { unhurried } from '../unhurried.js';

const quick = { initialMs: 20, jitter: 0 };

export const consuming: readonly Case[] = [
  ...promise(
    '22.1',
    '`subscribe` is an async iterable of deliveries; `consume` settles for its handler: returning acks, throwing nacks, `PermanentError` rejects, and a handler may settle by itself.',
    [
      queueCase('a-subscription-is-iterated-and-settled-by-hand', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await bench.time.until(
          queue.publishBatch(
            topic,
            many(5, (n) => ({ body: n })),
          ),
        );

        const subscription = queue.subscribe(topic);
        const seen: unknown[] = [];
        const reading = (async () => {
          for await (const delivery of subscription) {
            seen.push(delivery.message.body);
            await delivery.ack();
          }
        })();
        await bench.time.eventually('all have come', () => seen.length === 5);
        await bench.time.until(subscription.close());
        await bench.time.until(reading);

        assert.deepEqual(sorted(seen.map(String)), ['0', '1', '2', '3', '4']);
        await bench.isEmpty(queue, topic);
      }),
      queueCase('a-handler-may-settle-by-itself', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const settled = bench.listen(queue, 'settled');
        await bench.consume(queue, topic, async (delivery) => {
          if (delivery.message.body === 'ack') await delivery.ack();
          if (delivery.message.body === 'reject') await delivery.reject('poison');
          if (delivery.message.body === 'postpone' && delivery.postpones === 0) await delivery.postpone(50);
          if (delivery.message.body === 'throw') {
            await delivery.ack();
            throw new Error('after the ack');
          }
        });

        for (const body of ['ack', 'reject', 'postpone', 'throw']) await queue.publish(topic, body, { id: body });
        await bench.time.eventually('all were settled', () => settled.length === 5);
        await bench.time.settle();

        assert.deepEqual(sorted(settled.map(({ id, verb }) => `${id} by ${verb}`)), [
          'ack by ack',
          'postpone by ack',
          'postpone by postpone',
          'reject by reject',
          'throw by ack',
        ]);
        await bench.isEmpty(queue, topic);
      }),
      queueCase('a-listener-that-throws-changes-nothing', async (bench) => {
        const topic = bench.topic({ backoff: quick });
        const queue = await bench.queue([topic]);
        for (const name of ['published', 'delivered', 'settled', 'retried', 'handler-failed'] as const)
          queue.events.on(name, () => {
            throw new Error('a listener threw');
          });
        const { seen } = await bench.consume(queue, topic, ({ attempt }) => {
          if (attempt === 1) throw new Error('again');
        });

        await queue.publish(topic, null);
        await bench.time.eventually('it was handled', () => seen.length === 2);

        await bench.isEmpty(queue, topic);
      }),
    ],
  ),
  ...promise(
    '22.2',
    "A handler's time-out is a failure; on an ordered topic its key stays held until the handler returns or its lease ends.",
    [
      queueCase('a-handler-that-takes-too-long-has-failed', async (bench) => {
        const topic = bench.topic({ maxAttempts: 2, backoff: quick });
        const queue = await bench.queue([topic]);
        const aborted: unknown[] = [];
        const { seen } = await bench.consume(
          queue,
          topic,
          ({ signal }) => {
            signal.addEventListener('abort', () => aborted.push(signal.reason?.code));
            return never();
          },
          { timeoutMs: 200 },
        );

        await queue.publish(topic, null);
        await bench.time.eventually(
          'it is dead',
          async () => (await queue.admin.deadLetters(topic).list()).letters.length === 1,
          120_000,
        );

        const [letter] = (await queue.admin.deadLetters(topic).list()).letters;
        assert.deepEqual(
          seen.map(({ attempt }) => attempt),
          [1, 2],
        );
        assert.deepEqual([aborted, letter?.death?.cause], [['timeout', 'timeout'], 'attempts-exhausted']);
      }),
      queueCase('a-handler-in-time-is-not-disturbed-by-its-time-out', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const { seen } = await bench.consume(queue, topic, () => bench.time.sleep(100), { timeoutMs: 60_000 });

        await queue.publish(topic, null);
        await bench.time.eventually('it was handled', () => seen.length === 1);
        await bench.time.pass(200);

        assert.equal(seen[0]?.signal.aborted, false);
        await bench.isEmpty(queue, topic);
      }),
      queueCase('the-key-of-a-handler-that-ran-out-of-time-waits-until-it-has-returned', async (bench) => {
        const topic = bench.topic({ ordering: 'key', backoff: { initialMs: 3_600_000 } });
        const queue = await bench.queue([topic]);
        const slow = gate();
        const { seen } = await bench.consume(
          queue,
          topic,
          ({ message }) => (message.id === 'slow' ? slow.opened : null),
          {
            timeoutMs: 200,
          },
        );
        await queue.publish(topic, null, { id: 'slow', key: 'k' });
        await queue.publish(topic, null, { id: 'next', key: 'k' });

        await bench.time.pass(1_000);
        const whileItRuns = ids(seen);
        slow.open();
        await bench.time.eventually('the next has come', () => seen.length === 2);

        assert.deepEqual([whileItRuns, ids(seen)], [['slow'], ['slow', 'next']]);
      }),
      queueCase('the-time-out-of-a-handler-that-returns-later-is-a-failure-all-the-same', async (bench) => {
        const topic = bench.topic({ ordering: 'key', backoff: quick });
        const queue = await bench.queue([topic]);
        const { seen } = await bench.consume(
          queue,
          topic,
          ({ attempt }) => (attempt === 1 ? bench.time.sleep(400) : null),
          { timeoutMs: 200 },
        );

        await queue.publish(topic, null, { key: 'k' });
        await bench.time.eventually('it has come again', () => seen.length === 2);

        assert.deepEqual(
          seen.map(({ attempt, redeliveries }) => [attempt, redeliveries]),
          [
            [1, 0],
            [2, 0],
          ],
        );
      }),
    ],
  ),
  ...promise(
    '23.1',
    '`close({ deadlineMs })` starts nothing more, lets handlers finish and their settles be stored, gives back the rest in order, at the deadline aborts `signal`, then closes.',
    [
      queueCase('a-close-waits-for-handlers-and-their-settles', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const slow = gate();
        const { consumer, seen } = await bench.consume(queue, topic, () => slow.opened);
        await queue.publish(topic, null);
        await bench.time.eventually('it has come', () => seen.length === 1);

        let closed = false;
        const closing = consumer.close().then(() => {
          closed = true;
        });
        await bench.time.settle();
        const before = closed;
        slow.open();
        await bench.time.until(closing);

        assert.deepEqual([before, seen[0]?.signal.aborted], [false, false]);
        await bench.isEmpty(queue, topic);
      }),
      queueCase('at-the-deadline-of-a-close-the-signal-is-aborted-and-the-message-comes-again', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const { consumer, seen } = await bench.consume(queue, topic, () => never());
        await queue.publish(topic, null, { id: 'm' });
        await bench.time.eventually('it has come', () => seen.length === 1);
        const startedAt = bench.time.now();

        await bench.time.until(consumer.close({ deadlineMs: 500 }));

        const tookMs = bench.time.now() - startedAt;
        assert.ok(tookMs >= 500 && tookMs <= 2_500 + bench.time.lateMs, `${tookMs} ms`);
        assert.equal(seen[0]?.signal.aborted, true);
        assert.equal((await bench.drain(queue, topic))[0]?.attempt, 1);
        assert.deepEqual((await queue.admin.deadLetters(topic).list()).letters, []);
      }),
      queueCase('nothing-is-started-once-a-close-has-begun', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const slow = gate();
        const { consumer, seen } = await bench.consume(queue, topic, () => slow.opened, { concurrency: 2 });
        await bench.time.until(
          queue.publishBatch(
            topic,
            many(10, (n) => ({ body: n, id: `m${n}` })),
          ),
        );
        await bench.time.eventually('two have come', () => seen.length === 2);

        const closing = consumer.close();
        await bench.time.settle();
        slow.open();
        await bench.time.until(closing);

        assert.equal(seen.length, 2);
        assert.equal((await bench.drain(queue, topic)).length, 8);
      }),
      queueCase('what-is-given-back-of-an-ordered-topic-keeps-its-order', async (bench) => {
        const topic = bench.topic({ ordering: 'key' });
        const [stopping, other] = [await bench.queue([topic]), await bench.queue([topic])];
        await bench.time.until(
          stopping.publishBatch(
            topic,
            many(30, (n) => ({ body: n, key: `key ${n % 3}` })),
          ),
        );
        const slow = gate();
        const order: number[] = [];
        const { consumer, seen } = await bench.consume(stopping, topic, async ({ message }) => {
          await slow.opened;
          order.push(message.body as number);
        });
        await bench.time.eventually('one of each key has come', () => seen.length === 3);

        const closing = consumer.close();
        const { seen: seenByOther } = await bench.consume(other, topic, ({ message }) => {
          order.push(message.body as number);
        });
        await bench.time.settle();
        const early = bodies(seenByOther).filter((n) =>
          bodies(seen).some((m) => (n as number) % 3 === (m as number) % 3),
        );
        slow.open();
        await bench.time.until(closing);
        await bench.time.eventually('all have come', () => order.length === 30);

        assert.deepEqual(early, [], 'a key was handed over while one of it was in hand');
        for (let key = 0; key < 3; key++)
          assert.deepEqual(
            order.filter((n) => n % 3 === key),
            many(10, (n) => 3 * n + key),
          );
      }),
      queueCase('a-handler-may-publish-and-settle-while-its-queue-closes', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const slow = gate();
        const errors: unknown[] = [];
        const { seen } = await bench.consume(queue, topic, async (delivery) => {
          await slow.opened;
          await delivery.ack().catch((error: unknown) => errors.push(error));
        });
        await queue.publish(topic, null);
        await bench.time.eventually('it has come', () => seen.length === 1);

        const closing = queue.close();
        await bench.time.settle();
        slow.open();
        await bench.time.until(closing);

        assert.deepEqual(errors, []);
        await bench.isEmpty(await bench.queue([topic]), topic);
      }),
      queueCase('after-a-close-and-a-new-start-nothing-in-between-is-missing', async (bench) => {
        const topic = bench.topic();
        const first = await bench.queue([topic]);
        const { seen } = await bench.consume(first, topic);
        await first.publish(topic, null, { id: 'before' });
        await bench.time.eventually('it has come', () => seen.length === 1);
        await bench.time.until(first.close());
        const publisher = await bench.queue([topic]);
        await publisher.publish(topic, null, { id: 'between' });

        const { seen: seenAfter } = await bench.consume(await bench.queue([topic]), topic);
        await publisher.publish(topic, null, { id: 'after' });
        await bench.time.eventually('both have come', () => seenAfter.length === 2);

        assert.deepEqual([ids(seen), ids(seenAfter)], [['before'], ['between', 'after']]);
      }),
      queueCase('a-close-returns-at-once-when-nothing-is-in-hand', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await bench.consume(queue, topic);
        const reading = bench.subscribe(queue, topic);
        const waiting = reading.nextNow();
        await bench.time.settle();
        const startedAt = bench.time.now();

        await bench.time.until(queue.close());

        assert.equal(await waiting, null);
        assert.ok(bench.time.now() - startedAt <= bench.time.lateMs, 'it waited');
      }),
      driverCase('closing-ends-what-waits-empty', async (bench) => {
        const topic = await bench.declare();
        const driver = await bench.open();
        const reader = await bench.subscribe(topic, { driver });
        const other = await bench.subscribe(topic, { driver });
        const itsOwn = await bench.declare();
        const holder = await bench.subscribe(itsOwn, { driver });
        await bench.send(bench.entry(itsOwn, 'held'));
        await bench.receiveOne(holder);

        const waiting = [reader, holder, other].map((each) => each.receive(10, 3_600_000, unhurried()));
        await bench.time.settle();
        await bench.time.until(Promise.all([reader.close(), holder.close()]));
        const closed = await bench.time.until(Promise.all(waiting.slice(0, 2)));
        await bench.time.until(driver.close());
        const left = await bench.time.until(Promise.all(waiting.slice(2)));

        assert.deepEqual([...closed, ...left], [[], [], []]);
      }),
      driverCase('a-signal-ends-a-receive-which-then-holds-nothing', async (bench) => {
        const topic = await bench.declare();
        const { countsGiveBack } = bench.capabilities;
        const ended: string[] = [];

        // In turn an abort before the message is sent, and one so many milliseconds afterwards.
        for (let round = 0; round < 10; round++) {
          const id = `round ${round}`;
          const stopping = new AbortController();
          const reader = await bench.subscribe(topic);
          const waiting = reader.receive(10, 3_600_000, stopping.signal);
          await bench.time.settle();
          if (round % 2 === 0) {
            stopping.abort();
            assert.deepEqual(await bench.time.until(waiting, 5_000), []);
          }
          const sending = bench.send(bench.entry(topic, id));
          await bench.time.pass(round);
          stopping.abort();
          const received = await bench.time.until(waiting, 5_000);
          await bench.time.until(sending);
          assert.deepEqual(await bench.time.until(reader.receive(10, 3_600_000, stopping.signal), 5_000), []);

          const other = received.length > 0 ? reader : await bench.subscribe(topic);
          const [one] = received.length > 0 ? received : await bench.receive(other, 1, 5_000);
          ended.push(one?.message.id ?? 'none');
          if (!countsGiveBack) assert.equal(one?.redeliveries, 0, 'it was handed out to nobody and counted');
          await bench.settle(other, ack((one as Received).receipt));
          await bench.time.until(Promise.all([reader.close(), other.close()]));
        }

        assert.deepEqual(
          ended,
          Array.from({ length: 10 }, (_, round) => `round ${round}`),
        );
      }),
    ],
  ),
  ...promise(
    '23.2',
    'Closing twice, or at once from several places, is one closing. Afterwards no socket, timer or listener is left and every call is refused with `closed`.',
    [
      queueCase('closing-from-several-places-is-one-closing', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const closed = bench.listen(queue, 'closed');
        const { consumer } = await bench.consume(queue, topic);
        const reading = bench.subscribe(queue, topic);
        await reading.nextNow();

        await bench.time.until(
          Promise.all([
            consumer.close(),
            queue.close(),
            reading.subscription.close(),
            queue.close({ deadlineMs: 0 }),
            consumer.close(),
          ]),
        );
        await bench.time.until(Promise.all([queue.close(), consumer.close(), reading.subscription.close()]));

        assert.equal(closed.length, 1);
      }),
      queueCase('after-a-close-everything-is-refused', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await bench.time.until(queue.close());

        await bench.rejects('closed', queue.publish(topic, null));
        await bench.rejects('closed', queue.publishAfter(topic, null, 10));
        await bench.rejects('closed', () => queue.consume(topic, () => {}));
        await bench.rejects('closed', () => queue.subscribe(topic));
        await bench.rejects('closed', queue.setup());
        await bench.rejects('closed', queue.admin.depth(topic));
        assert.equal(queue.health().status, 'down');
      }),
      queueCase('a-settle-after-the-close-is-refused-and-the-message-comes-again', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await queue.publish(topic, null, { id: 'm' });
        const delivery = await bench.subscribe(queue, topic).next();
        await bench.time.until(queue.close({ deadlineMs: 0 }));

        const error = await bench.time.until(
          delivery.ack().then(
            () => null,
            (thrown: unknown) => thrown as { code?: string },
          ),
        );

        assert.ok(error?.code === 'lease-lost' || error?.code === 'closed', String(error));
        assert.deepEqual(ids(await bench.drain(await bench.queue([topic]), topic)), ['m']);
      }),
      queueCase(
        'a-closed-queue-leaves-no-timer',
        async (bench) => {
          const topic = bench.topic({ ordering: 'key', backoff: quick });
          const before = bench.time.pendingTimers;
          const queue = await bench.queue([topic]);
          await bench.consume(
            queue,
            topic,
            ({ attempt, message }) => {
              if (attempt === 1 && message.body === 0) throw new Error('again');
            },
            { timeoutMs: 60_000 },
          );
          await bench.subscribe(queue, topic).nextNow();
          await bench.time.until(
            queue.publishBatch(
              topic,
              many(20, (n) => ({ body: n, key: `k${n}` })),
            ),
          );
          await bench.time.pass(10);

          await bench.time.until(queue.close());

          assert.equal(
            (bench.time.pendingTimers ?? 0) <= (before ?? 0),
            true,
            `${bench.time.pendingTimers} timers, ${before} before`,
          );
        },
        'virtual time',
      ),
      driverCase('every-verb-of-a-closed-driver-is-refused', async (bench) => {
        const topic = await bench.declare();
        const driver = await bench.open();
        await bench.time.until(Promise.all([driver.close(), driver.close()]));
        await bench.time.until(driver.close());

        const calls = [
          () => driver.send([bench.entry(topic, 'm')]),
          () => driver.subscribe({ topic: topic.name, group: 'default', prefetch: 1, consumer: 'late', onLost() {} }),
          () => driver.declare({ topics: [topic] }, { mode: 'assert', change: false }),
          () => driver.admin.depth(topic.name, 'default'),
        ];
        for (const call of calls) {
          const error: unknown = await bench.time.until(
            call().then(
              () => null,
              (thrown: unknown) => thrown,
            ),
          );
          assert.equal((error as { code?: string } | null)?.code, 'closed', String(error));
        }
        assert.equal(driver.health().connected, false);
      }),
    ],
  ),
  ...promise(
    '24.1',
    'Subscriptions survive what the backend does: cut connections, a restart, a group removed and declared again, calls that fail for a while. They resume without help, with back-off, and say so through events and health.',
    [
      queueCase(
        'consumers-resume-after-cuts-and-lose-nothing',
        async (bench) => {
          const topic = bench.topic();
          const { queue, driver } = await bench.opened([topic]);
          const handled = new Set<string>();
          await bench.consume(
            queue,
            topic,
            async ({ message }) => {
              await bench.time.sleep(2);
              handled.add(message.id);
            },
            { prefetch: 10 },
          );

          for (let round = 0; round < 10; round++) {
            await bench.time.until(
              queue.publishBatch(
                topic,
                many(20, (n) => ({ body: null, id: `m${round}.${n}` })),
              ),
            );
            await bench.time.pass(1);
            await bench.cut(driver);
          }
          await bench.time.eventually('all were handled', () => handled.size === 200, bench.recoveryMs);

          await bench.time.pass(100);
          await bench.isEmpty(queue, topic);
        },
        'cutConnections',
      ),
      queueCase(
        'after-a-cut-prefetch-and-group-are-as-before',
        async (bench) => {
          const topic = bench.topic({ groups: { one: {}, two: {} } });
          const { queue, driver } = await bench.opened([topic]);
          const reading = bench.subscribe(queue, topic, { group: 'two', prefetch: 3 });
          await reading.nextNow();

          await bench.cut(driver);
          await bench.time.eventually('it is connected again', () => queue.health().connected);
          await bench.time.until(
            queue.publishBatch(
              topic,
              many(10, (n) => ({ body: n })),
            ),
          );
          await reading.take(3);

          assert.equal(await reading.nextNow(), null);
          assert.deepEqual(
            queue.health().consumers.map(({ group, held }) => [group, held]),
            [['two', 3]],
          );
        },
        'cutConnections',
      ),
      queueCase(
        'a-cut-is-told-once-and-so-is-the-new-connection',
        async (bench) => {
          const topic = bench.topic();
          const { queue, driver } = await bench.opened([topic]);
          const heard = bench.listen(queue, 'connected', 'disconnected', 'reconnecting');
          await bench.consume(queue, topic);

          await bench.cut(driver);
          await bench.time.eventually('it is connected again', () => heard.some(({ name }) => name === 'connected'));

          const names = heard.map(({ name }) => name);
          assert.deepEqual(
            names.filter((name) => name !== 'reconnecting'),
            ['disconnected', 'connected'],
          );
          const { status, connected } = queue.health();
          assert.deepEqual([status, connected], ['ok', true]);
        },
        'cutConnections',
      ),
      queueCase(
        'fifty-cuts-leave-nothing-behind',
        async (bench) => {
          const topic = bench.topic();
          const { queue, driver } = await bench.opened([topic]);
          const { seen } = await bench.consume(queue, topic);
          await queue.publish(topic, null);
          await bench.time.eventually('it has come', () => seen.length === 1);
          await bench.time.settle();
          const before = bench.time.pendingTimers;

          for (let n = 0; n < 50; n++) {
            await bench.cut(driver);
            await bench.time.eventually('it is connected again', () => queue.health().connected);
          }
          await queue.publish(topic, null);
          await bench.time.eventually('it has come', () => seen.length === 2);
          await bench.time.settle();

          assert.ok((bench.time.pendingTimers ?? 0) <= (before ?? 0) + 1, 'timers are left behind');
        },
        'cutConnections',
      ),
      driverCase(
        'a-driver-tells-a-cut-and-the-new-connection-in-order-and-once',
        async (bench) => {
          const topic = await bench.declare();
          const events: DriverEvent[] = [];
          const driver = await bench.open(undefined, events);
          const reader = await bench.subscribe(topic, { driver });
          events.length = 0;

          await bench.cut(driver);
          await bench.time.eventually('it is connected again', () => events.some(({ type }) => type === 'connected'));
          await bench.send(bench.entry(topic, 'm'));

          assert.deepEqual(
            events.map(({ type }) => type).filter((type) => type !== 'reconnecting'),
            ['disconnected', 'connected'],
          );
          const [received] = await bench.receive(reader, 1);
          await bench.settleDone(reader, ack(received?.receipt as object));
        },
        'cutConnections',
      ),
      queueCase('receiving-that-fails-for-a-while-is-tried-again-with-back-off', async (bench) => {
        const topic = bench.topic();
        let failures = 20;
        let calls = 0;
        const queue = await bench.queue([topic], {
          interference: {
            receive: async (next) => {
              calls++;
              if (failures-- > 0) throw new Interruption();
              return next();
            },
          },
        });
        const { seen } = await bench.consume(queue, topic);
        await queue.publish(topic, null);

        await bench.time.pass(bench.time.isVirtual ? 10_000 : 1_000);
        const callsSoFar = calls;
        await bench.time.eventually('it has come', () => seen.length === 1, 120_000);

        assert.ok(callsSoFar <= 15, `${callsSoFar} calls: it spins`);
      }),
      queueCase('a-consumer-goes-on-when-its-group-is-removed-and-added-again', async (bench) => {
        const topic = bench.topic({ groups: { default: {}, comes: {} } });
        const queue = await bench.queue([topic]);
        const { seen } = await bench.consume(queue, topic, () => {}, { group: 'comes' });
        await queue.publish(topic, null, { id: 'before' });
        await bench.time.eventually('it has come', () => seen.length === 1);

        await queue.admin.removeGroup(topic, 'comes');
        await bench.time.pass(500);
        await queue.admin.addGroup(topic, 'comes');
        await queue.publish(topic, null, { id: 'after' });

        await bench.time.eventually('it goes on', () => seen.length === 2);
        assert.deepEqual(ids(seen), ['before', 'after']);
      }),
      queueCase(
        'consumers-resume-after-a-restart-of-the-backend',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);
          const handled = new Set<string>();
          await bench.consume(queue, topic, ({ message }) => {
            handled.add(message.id);
          });
          const publishing = many(300, (n) => queue.publish(topic, null, { id: `m${n}` }));

          await bench.harness.restartBackend?.();
          const outcomes = await bench.time.until(Promise.allSettled(publishing));

          const stored = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.id] : []));
          await bench.time.eventually(
            'all were handled',
            () => stored.every((id) => handled.has(id)),
            bench.recoveryMs,
          );
          // A backend so quick that nothing failed is back before its clients are.
          await bench.time.eventually('the queue is ok', () => queue.health().status === 'ok', bench.recoveryMs);
        },
        'restartBackend',
      ),
    ],
  ),
  ...promise(
    '25.1',
    'Every consumer has a name of its own, which appears in logs; passwords and bodies appear in no log, error or event.',
    [
      queueCase('names-of-consumers-are-unique-and-logged', async (bench) => {
        const topic = bench.topic();
        const [one, two] = [
          await bench.queue([topic], { name: 'worker' }),
          await bench.queue([topic], { name: 'worker' }),
        ];
        const consumers = [
          (await bench.consume(one, topic)).consumer.consumer,
          (await bench.consume(one, topic, () => {}, { name: 'mails' })).consumer.consumer,
          (await bench.consume(one, topic, () => {}, { name: 'mails' })).consumer.consumer,
          (await bench.consume(two, topic)).consumer.consumer,
        ];
        await bench.time.settle();

        assert.equal(new Set(consumers).size, 4);
        assert.ok(consumers.every((name) => name.startsWith('worker')));
        assert.ok(consumers[1]?.includes('mails'));
        assert.ok(consumers.every((name) => bench.log.some(({ fields }) => fields.consumer === name)));
      }),
      queueCase('no-body-and-no-raw-text-of-a-client-library-is-logged-or-told', async (bench) => {
        const topic = bench.topic({ maxAttempts: 2, backoff: quick });
        let failures = 1;
        const queue = await bench.queue([topic], {
          interference: {
            settle: async (next) => {
              if (failures-- > 0) throw new Interruption();
              return next();
            },
          },
        });
        const events: unknown[] = bench.listen(queue, 'published', 'delivered', 'settled', 'retried', 'dead-lettered');
        const secret = 'correct horse battery staple';
        const { seen } = await bench.consume(queue, topic, () => {
          throw new Error('failed');
        });

        await queue.publish(topic, { secret });
        await bench.time.eventually(
          'it is dead',
          async () => (await queue.admin.deadLetters(topic).list()).letters.length === 1,
        );
        const broken = await bench.queue([topic], {
          interference: { send: () => Promise.reject(new Interruption({ retryable: false })) },
        });
        const error = await bench.rejects('unavailable', broken.publish(topic, { secret }));
        const tooLarge = await bench.rejects('payload-too-large', queue.publish(topic, secret.repeat(100_000)));

        const told = JSON.stringify([bench.log, events, error.message, tooLarge.message]);
        assert.equal(seen.length, 2);
        for (const hidden of [secret, 'hunter2']) assert.ok(!told.includes(hidden), `"${hidden}" was told`);
        assert.ok(error.cause instanceof Interruption, 'the raw error is kept as cause');
      }),
      queueCase('ordinary-failures-of-handlers-are-no-warnings', async (bench) => {
        const topic = bench.topic({ backoff: quick });
        const queue = await bench.queue([topic]);
        const { seen } = await bench.consume(queue, topic, ({ attempt }) => {
          if (attempt < 3) throw new Error('again');
        });

        await queue.publish(topic, null);
        await bench.time.eventually('it was handled', () => seen.length === 3);

        assert.deepEqual(
          bench.log.filter(({ level }) => level === 'warn'),
          [],
        );
      }),
    ],
  ),
  ...promise(
    '27.1',
    'Two releases can run side by side: messages carry a format version; an older one is read, a newer one is left for those who can read it.',
    [
      driverCase('the-format-of-a-message-is-kept', async (bench) => {
        const topic = await bench.declare();
        await bench.send(bench.entry(topic, 'newer', { format: 99 }), bench.entry(topic, 'older', { format: 0 }));
        const reader = await bench.subscribe(topic);
        const received = await bench.receive(reader, 2);

        await bench.settleDone(
          reader,
          ...received.map(({ receipt, counts }) => ({ kind: 'release' as const, receipt, delayMs: 0, counts })),
        );

        const again = await bench.receive(reader, 2);
        assert.deepEqual(sorted(again.map(({ message }) => `${message.id} ${message.format}`)), [
          'newer 99',
          'older 0',
        ]);
        assert.deepEqual(sorted(idsOf(received)), ['newer', 'older']);
      }),
      queueCase('a-message-of-a-newer-release-is-left-and-its-neighbours-flow', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await bench.sendRaw(topic, 'newer', { format: 99 });
        await bench.sendRaw(topic, 'older', { format: 0 });
        await queue.publish(topic, null, { id: 'ours' });

        const { consumer, seen } = await bench.consume(queue, topic);
        await bench.time.eventually('the others have come', () => seen.length === 2);
        await bench.time.pass(bench.time.isVirtual ? 600_000 : 1_000);
        await bench.time.until(consumer.close());

        assert.deepEqual(sorted(ids(seen)), ['older', 'ours']);
        assert.deepEqual((await queue.admin.deadLetters(topic).list()).letters, []);
        const left = await bench.rawAgain(topic, 20_000);
        assert.deepEqual(
          [left.message.id, left.message.format, left.counts, left.redeliveries],
          ['newer', 99, { attempt: 1, postpones: 0, firstFailedAt: null }, 0],
        );
      }),
    ],
  ),
];
