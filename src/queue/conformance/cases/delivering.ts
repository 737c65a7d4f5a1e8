import assert from 'node:assert/strict';
import { gate, many, never, sorted } from '../bench.js';
import { type Case, driverCase, promise, queueCase } from '../case.js';
import type { Driver, Queue } from '../contract.js';
import { ack, idsOf, release } from '../driver-bench.js';
import { ids } from '../queue-bench.js';

export const delivering: readonly Case[] = [
  ...promise(
    '9.1',
    'At least once to each group: nothing that was published is lost, whatever is killed, cut or closed; a duplicate carries the same id.',
    [
      driverCase(
        'what-a-killed-process-held-comes-to-others-with-the-same-id-and-body',
        async (bench) => {
          const topic = await bench.declare();
          await bench.send(...many(20, (n) => bench.entry(topic, `m${n}`)));
          const doomed = await bench.open();
          const held = await bench.receive(await bench.subscribe(topic, { driver: doomed }), 20);

          await bench.kill(doomed);

          const again = await bench.receive(await bench.subscribe(topic), 20, bench.recoveryMs);
          const content = (received: typeof held): readonly string[] =>
            sorted(received.map(({ message }) => `${message.id} ${Buffer.from(message.body).toString()}`));
          assert.deepEqual(content(again), content(held));
          assert.ok(again.every(({ counts }) => counts.attempt === 1));
        },
        'killSubscriber',
      ),
      driverCase('what-a-closed-subscription-held-comes-again', async (bench) => {
        const topic = await bench.declare();
        await bench.send(bench.entry(topic, 'one'), bench.entry(topic, 'two'));
        const leaving = await bench.subscribe(topic);
        const received = await bench.receive(leaving, 2);

        await bench.time.until(Promise.all([leaving.close(), leaving.close()]));

        assert.deepEqual(sorted(await bench.drain(await bench.subscribe(topic))), ['one', 'two']);
        assert.deepEqual(idsOf(received).length, 2);
      }),
      driverCase(
        'what-was-held-when-the-connection-was-cut-comes-again',
        async (bench) => {
          const topic = await bench.declare();
          await bench.send(...many(10, (n) => bench.entry(topic, `m${n}`)));
          const driver = await bench.open();
          const lost: object[] = [];
          const reader = await bench.subscribe(topic, { driver, onLost: (receipts) => lost.push(...receipts) });
          const held = await bench.receive(reader, 10);

          await bench.cut(driver);

          const again = await bench.receive(await bench.subscribe(topic), 10, bench.recoveryMs);
          assert.deepEqual(sorted(idsOf(again)), sorted(idsOf(held)));
          assert.equal(new Set(lost).size, lost.length, 'a receipt was reported lost twice');
        },
        'cutConnections',
      ),
      queueCase('leaving-the-loop-of-a-subscription-lets-the-unsettled-come-again', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await bench.time.until(
          queue.publishBatch(
            topic,
            many(5, (n) => ({ body: n, id: `m${n}` })),
          ),
        );

        const reading = (async () => {
          for await (const delivery of queue.subscribe(topic)) {
            if (delivery.message.id === 'm0') await delivery.ack();
            else break;
          }
        })();
        await bench.time.until(reading);

        assert.deepEqual(sorted(ids(await bench.drain(queue, topic))), ['m1', 'm2', 'm3', 'm4']);
      }),
      queueCase('three-consumers-that-nack-and-leave-again-and-again-lose-nothing', async (bench) => {
        const topic = bench.topic({ maxAttempts: Number.POSITIVE_INFINITY });
        const queue = await bench.queue([topic]);
        await bench.time.until(
          queue.publishBatch(
            topic,
            many(30, (n) => ({ body: n, id: `m${n}` })),
          ),
        );

        for (let round = 0; round < 10; round++) {
          const consumers = await Promise.all(
            many(3, () => bench.consume(queue, topic, (delivery) => delivery.nack(5), { prefetch: 5 })),
          );
          await bench.time.eventually('each has nacked', () => consumers.every(({ seen }) => seen.length > 0));
          await bench.time.until(Promise.all(consumers.map(({ consumer }) => consumer.close())));
        }

        await bench.time.pass(10);
        assert.deepEqual(sorted(ids(await bench.drain(queue, topic))), sorted(many(30, (n) => `m${n}`)));
      }),
      queueCase('ten-clients-that-open-and-close-at-once-lose-nothing', async (bench) => {
        const topic = bench.topic();
        const queues = await Promise.all(many(10, () => bench.queue([topic])));
        await bench.time.until(
          Promise.all(
            queues.map(async (queue, n) => {
              await queue.publish(topic, n, { id: `m${n}` });
              await queue.close();
            }),
          ),
        );

        const seen = await bench.drain(await bench.queue([topic]), topic);
        assert.deepEqual(sorted(ids(seen)), sorted(many(10, (n) => `m${n}`)));
      }),
    ],
  ),
  ...promise('10.1', 'While nothing fails, exactly one subscriber of a group gets a message, once.', [
    driverCase('competing-readers-of-several-clients-get-each-message-once', async (bench) => {
      const topic = await bench.declare();
      const drivers: readonly Driver[] = await Promise.all(many(5, () => bench.open()));
      const readers = await Promise.all(
        many(10, (n) => bench.subscribe(topic, { driver: drivers[n % 5] as Driver, prefetch: 10 })),
      );
      await bench.send(...many(500, (n) => bench.entry(topic, `m${n}`)));

      const seen: (string | null)[] = [];
      await bench.time.eventually('all have come', async () => {
        await Promise.all(
          readers.map(async (reader) => {
            const received = await bench.ask(reader, 10);
            seen.push(...idsOf(received));
            await reader.settle(received.map(({ receipt }) => ack(receipt)));
          }),
        );
        return seen.length >= 500;
      });

      assert.deepEqual(sorted(seen), sorted(many(500, (n) => `m${n}`)));
      for (const reader of readers) await bench.nothing(reader);
    }),
    driverCase('what-is-in-hand-is-handed-to-nobody-else', async (bench) => {
      const topic = await bench.declare();
      const [one, two] = [await bench.subscribe(topic), await bench.subscribe(topic, { driver: await bench.open() })];
      await bench.send(bench.entry(topic, 'held'));
      const holder = (await bench.receiveByAny([one, two], 1))[0];

      await bench.nothing(one);
      await bench.nothing(two);

      assert.equal(holder?.message.id, 'held');
    }),
    queueCase('five-thousand-messages-and-fifty-consumers', async (bench) => {
      const topic = bench.topic();
      const queues: readonly Queue[] = await Promise.all(many(5, () => bench.queue([topic])));
      const seen: string[] = [];
      await Promise.all(
        many(50, (n) =>
          bench.consume(queues[n % 5] as Queue, topic, ({ message }) => seen.push(message.id), {
            prefetch: 20,
            concurrency: 4,
          }),
        ),
      );

      const queue = queues[0] as Queue;
      for (let n = 0; n < 5_000; n += 1_000)
        await bench.time.until(
          queue.publishBatch(
            topic,
            many(1_000, (m) => ({ body: null, id: `m${n + m}` })),
          ),
        );
      await bench.time.eventually('all have come', () => seen.length >= 5_000);
      await bench.time.settle();

      assert.equal(seen.length, 5_000);
      assert.equal(new Set(seen).size, 5_000);
      await bench.isEmpty(queue, topic);
    }),
    queueCase('twenty-topics-do-not-mix', async (bench) => {
      const topics = many(20, () => bench.topic());
      const queue = await bench.queue(topics);

      await bench.time.until(Promise.all(topics.flatMap((topic) => many(10, () => queue.publish(topic, topic.name)))));

      for (const topic of topics) {
        const seen = await bench.drain(queue, topic);
        assert.deepEqual(
          seen.map(({ message, topic: name }) => [message.body, message.topic, name]),
          many(10, () => [topic.name, topic.name, topic.name]),
        );
      }
    }),
  ]),
  ...promise(
    '10.2',
    'A delivery is one hand-out to one subscriber: the message as published, attempt, postpones, redeliveries, and the time at which it was received; what a handler does to its copy reaches nobody else.',
    [
      queueCase('a-first-delivery-says-what-it-is', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const startedAt = bench.time.now();
        await queue.publish(topic, 'body');

        const [delivery] = await bench.drain(queue, topic);

        assert.deepEqual(
          [delivery?.attempt, delivery?.postpones, delivery?.redeliveries, delivery?.topic, delivery?.group],
          [1, 0, 0, topic.name, 'default'],
        );
        const { publishedAt, key, routingKey } = delivery?.message ?? {};
        assert.deepEqual([typeof publishedAt, key, routingKey], ['number', null, null]);
        assert.ok((delivery?.receivedAt ?? 0) >= startedAt - 1);
      }),
      queueCase('what-a-handler-does-to-its-copy-is-not-seen-by-the-next-attempt-or-another-group', async (bench) => {
        const topic = bench.topic({ groups: { one: {}, two: {} } });
        const queue = await bench.queue([topic]);
        const seen: unknown[] = [];
        const handler = ({
          message,
          attempt,
        }: {
          message: { body: unknown; headers: object };
          attempt: number;
        }): void => {
          seen.push(structuredClone([message.body, { ...message.headers }]));
          (message.body as { value: string }).value = 'changed';
          (message.headers as { h: string }).h = 'changed';
          if (attempt === 1) throw new Error('again');
        };
        for (const group of ['one', 'two']) await bench.consume(queue, topic, handler as never, { group });

        await queue.publish(topic, { value: 'original' }, { headers: { h: 'original' } });
        await bench.time.eventually('all have come', () => seen.length === 4);

        assert.deepEqual(
          seen,
          many(4, () => [{ value: 'original' }, { h: 'original' }]),
        );
      }),
      driverCase('the-bytes-that-were-handed-out-are-the-readers-own', async (bench) => {
        const topic = await bench.declare();
        await bench.send(bench.entry(topic, 'body'));
        const reader = await bench.subscribe(topic);
        const first = await bench.receiveOne(reader);

        first.message.body.fill(0);
        await bench.settleDone(reader, release(first.receipt, 0));

        assert.equal(Buffer.from((await bench.receiveOne(reader)).message.body).toString(), 'body');
      }),
    ],
  ),
  ...promise(
    '13.1',
    'Prefetch bounds what a subscriber holds: exactly on unordered topics, and on ordered ones max(1, ceil(prefetch / lanes)) per lane where the backend counts per lane.',
    [
      queueCase('a-subscription-holds-no-more-than-its-prefetch', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await bench.time.until(
          queue.publishBatch(
            topic,
            many(50, (n) => ({ body: n })),
          ),
        );

        const reading = bench.subscribe(queue, topic, { prefetch: 7 });
        const held = await reading.take(7);
        const more = await reading.nextNow();

        assert.equal(more, null);
        assert.equal(queue.health().consumers[0]?.held, 7);
        const { inHand, ready } = await queue.admin.depth(topic);
        if (inHand !== null) assert.equal(inHand, 7);
        if (ready !== null) assert.equal(ready, 43);
        await bench.time.until(held[0]?.ack() ?? never());
        assert.notEqual(await reading.next(), null);
      }),
      queueCase('a-prefetch-of-one-holds-one', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await bench.time.until(
          queue.publishBatch(
            topic,
            many(5, (n) => ({ body: n, id: `m${n}` })),
          ),
        );
        const reading = bench.subscribe(queue, topic, { prefetch: 1 });

        const seen: string[] = [];
        for (let n = 0; n < 5; n++) {
          const delivery = await reading.next();
          assert.equal(await reading.nextNow(), null);
          assert.equal(queue.health().consumers[0]?.held, 1);
          seen.push(delivery.message.id);
          await bench.time.until(delivery.ack());
        }

        assert.equal(new Set(seen).size, 5);
      }),
      queueCase('an-ordered-subscription-holds-no-more-than-its-lanes-allow', async (bench) => {
        const topic = bench.topic({ ordering: 'key', lanes: 4 });
        const queue = await bench.queue([topic]);
        await bench.time.until(
          queue.publishBatch(
            topic,
            many(200, (n) => ({ body: n, key: `k${n}` })),
          ),
        );

        await bench.consume(queue, topic, () => never(), { prefetch: 10, concurrency: 1 });
        await bench.time.settle();

        const held = queue.health().consumers[0]?.held ?? 0;
        assert.ok(held >= 1 && held <= 4 * Math.ceil(10 / 4), `${held} held`);
      }),
      queueCase('a-slow-consumer-and-a-fast-publisher-fill-no-memory', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const slow = gate();
        await bench.consume(queue, topic, () => slow.opened, { prefetch: 20, concurrency: 2 });
        let most = 0;

        for (let n = 0; n < 10; n++) {
          await bench.time.until(
            queue.publishBatch(
              topic,
              many(100, (m) => ({ body: m })),
            ),
          );
          await bench.time.settle();
          most = Math.max(most, queue.health().consumers[0]?.held ?? 0);
        }
        slow.open();

        assert.equal(most, 20);
      }),
    ],
  ),
  ...promise('13.2', 'Concurrency bounds what a consumer works on at once, exactly.', [
    queueCase('as-many-handlers-run-as-concurrency-says-and-never-more', async (bench) => {
      const topic = bench.topic();
      const queue = await bench.queue([topic]);
      let running = 0;
      let most = 0;
      const { seen } = await bench.consume(
        queue,
        topic,
        async () => {
          most = Math.max(most, ++running);
          await bench.time.sleep(10);
          running--;
        },
        { concurrency: 4 },
      );

      await bench.time.until(
        queue.publishBatch(
          topic,
          many(40, (n) => ({ body: n })),
        ),
      );
      await bench.time.eventually('all were handled', () => seen.length === 40 && running === 0);

      assert.equal(most, 4);
    }),
    queueCase('a-handler-that-hangs-stops-no-other', async (bench) => {
      const topic = bench.topic();
      const queue = await bench.queue([topic]);
      const { seen } = await bench.consume(queue, topic, ({ message }) => (message.body === 0 ? never() : null), {
        concurrency: 2,
        prefetch: 4,
      });

      await bench.time.until(
        queue.publishBatch(
          topic,
          many(20, (n) => ({ body: n })),
        ),
      );

      await bench.time.eventually('all have come', () => seen.length === 20);
    }),
  ]),
  ...promise('13.3', 'What was received and waited unstarted for 10 minutes is given back.', [
    queueCase(
      'what-nobody-starts-for-ten-minutes-goes-to-others',
      async (bench) => {
        const topic = bench.topic();
        const [busy, idle] = [await bench.queue([topic]), await bench.queue([topic])];
        await busy.publish(topic, 'first', { id: 'first' });
        await bench.consume(busy, topic, () => never(), { concurrency: 1, prefetch: 2 });
        await bench.time.settle();
        await busy.publish(topic, 'second', { id: 'second' });
        await bench.time.settle();
        const givenBack = bench.listen(busy, 'given-back');
        const { seen } = await bench.consume(idle, topic);

        await bench.time.pass(599_000);
        const before = seen.length;
        await bench.time.pass(2_000);
        await bench.time.settle();

        assert.deepEqual([before, ids(seen), givenBack.length], [0, ['second'], 1]);
        assert.equal(seen[0]?.attempt, 1);
      },
      'virtual time',
    ),
  ]),
  ...promise(
    '13.4',
    'Who waits for messages is woken by them and asks the backend for nothing in between; a hot topic does not starve a quiet one.',
    [
      queueCase('an-idle-consumer-does-not-keep-the-backend-busy', async (bench) => {
        const topic = bench.topic();
        let calls = 0;
        const queue = await bench.queue([topic], {
          interference: {
            receive: (next) => {
              calls++;
              return next();
            },
          },
        });
        const { seen } = await bench.consume(queue, topic);

        await bench.time.pass(bench.time.isVirtual ? 60_000 : 2_000);

        assert.ok(calls <= 5, `${calls} calls in an idle minute`);
        const startedAt = bench.time.now();
        await queue.publish(topic, 1);
        await bench.time.eventually('it has come', () => seen.length === 1);
        const tookMs = bench.time.now() - startedAt;
        assert.ok(tookMs <= 50 + bench.time.lateMs, `woken after ${tookMs} ms`);
      }),
      queueCase('a-hot-topic-does-not-starve-a-quiet-one', async (bench) => {
        const [hot, quiet] = [bench.topic(), bench.topic()];
        const queue = await bench.queue([hot, quiet]);
        await bench.time.until(
          queue.publishBatch(
            hot,
            many(500, (n) => ({ body: n })),
          ),
        );
        const { seen: hotSeen } = await bench.consume(queue, hot, () => bench.time.sleep(10), { concurrency: 1 });
        const { seen } = await bench.consume(queue, quiet);

        await queue.publish(quiet, 1);
        await bench.time.eventually('the quiet one has come', () => seen.length === 1);

        assert.ok(hotSeen.length < 500);
      }),
    ],
  ),
  ...promise(
    '14.1',
    'A message that cannot be decoded or does not fit its schema becomes a dead letter at once, with the issues as reason; its neighbours flow.',
    [
      queueCase('what-no-handler-could-read-is-a-dead-letter-at-once', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await bench.sendRaw(topic, 'not-json', { body: Buffer.from('{ not json') });
        await bench.sendRaw(topic, 'not-utf8', { body: new Uint8Array([0x22, 0xff, 0x22]) });
        await bench.sendRaw(topic, 'empty', { body: new Uint8Array() });
        await queue.publish(topic, 'fine', { id: 'fine' });

        const { seen } = await bench.consume(queue, topic);
        await bench.time.eventually('the neighbour has come', () => seen.length === 1);
        await bench.time.settle();

        const { letters } = await queue.admin.deadLetters(topic).list();
        assert.deepEqual(ids(seen), ['fine']);
        assert.deepEqual(sorted(letters.map(({ id, death }) => `${id} ${death?.cause} ${death?.attempt}`)), [
          'empty undecodable 1',
          'not-json undecodable 1',
          'not-utf8 undecodable 1',
        ]);
        assert.equal(letters.find(({ id }) => id === 'not-json')?.bodyText, '{ not json');
        await bench.isEmpty(queue, topic);
      }),
      queueCase('what-does-not-fit-its-schema-is-a-dead-letter-with-the-issues', async (bench) => {
        const { strict, loose } = bench.strictAndLoose();
        const writer = await bench.queue([loose]);
        await writer.publish(loose, { name: 7 }, { id: 'unfit' });
        await writer.publish(loose, { name: 'Ada' }, { id: 'fit' });

        const reader = await bench.queue([strict]);
        const seen: string[] = [];
        await bench.time.until(reader.consume(strict, ({ message }) => seen.push(message.id)));
        await bench.time.eventually('the neighbour has come', () => seen.length === 1);
        await bench.time.settle();

        const { letters } = await reader.admin.deadLetters(strict).list();
        assert.deepEqual([seen, letters.map(({ id }) => id)], [['fit'], ['unfit']]);
        assert.match(letters[0]?.death?.reason ?? '', /name/);
      }),
    ],
  ),
  ...promise(
    '14.2',
    'A foreign message (no headers of ours, no id) is served like any other; its id is derived from its content, so that a redelivery carries the same one.',
    [
      queueCase(
        'a-foreign-message-is-served-and-keeps-its-derived-id',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);
          const foreign = { topic: topic.name, routingKey: 'a.b', body: Buffer.from('{"from":"elsewhere"}') };
          await bench.harness.sendForeign?.(foreign);

          const { seen } = await bench.consume(queue, topic, ({ attempt }) => {
            if (attempt === 1) throw new Error('again');
          });
          await bench.time.eventually('it has come twice', () => seen.length === 2);

          const [first, second] = seen;
          assert.deepEqual(first?.message.body, { from: 'elsewhere' });
          assert.ok((first?.message.id ?? '').length > 0);
          assert.deepEqual([second?.message.id, second?.attempt], [first?.message.id, 2]);
          assert.equal(first?.message.publishedAt, null);
        },
        'sendForeign',
      ),
      queueCase(
        'a-foreign-message-that-cannot-be-read-is-one-dead-letter',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);
          await bench.harness.sendForeign?.({ topic: topic.name, routingKey: null, body: Buffer.from('<xml/>') });
          await queue.publish(topic, 'fine', { id: 'fine' });

          const { seen } = await bench.consume(queue, topic);
          await bench.time.eventually('the neighbour has come', () => seen.length === 1);
          await bench.time.settle();

          const { letters } = await queue.admin.deadLetters(topic).list();
          assert.deepEqual(
            letters.map(({ bodyText, death }) => [bodyText, death?.cause]),
            [['<xml/>', 'undecodable']],
          );
          assert.equal(await queue.admin.deadLetters(topic).redrive(letters.map(({ id }) => id)), 1);
        },
        'sendForeign',
      ),
    ],
  ),
  ...promise(
    '15.1',
    'What is due is served even under a standing backlog, no later than a message published at its due time: a retry, a delayed message or an expired lease does not wait for the queue to run empty.',
    [
      driverCase(
        'a-delayed-message-and-a-retry-are-served-before-what-was-published-after-they-fell-due',
        async (bench) => {
          const topic = await bench.declare();
          const reader = await bench.subscribe(topic);
          await bench.send(bench.entry(topic, 'retry'));
          const { receipt } = await bench.receiveOne(reader);
          await bench.send(...many(100, (n) => bench.entry(topic, `before ${n}`)));
          await bench.send(bench.entry(topic, 'delayed', { delayMs: 300 }));
          await bench.settleDone(reader, release(receipt, 300, { attempt: 2 }));

          await bench.time.pass(400 + bench.time.quietMs);
          await bench.send(...many(100, (n) => bench.entry(topic, `after ${n}`)));

          const seen = await bench.drain(reader);
          assert.equal(seen.length, 202);
          const firstAfter = seen.findIndex((id) => id?.startsWith('after'));
          for (const id of ['retry', 'delayed']) assert.ok(seen.indexOf(id) < firstAfter, `${id} came late`);
        },
      ),
      driverCase(
        'however-many-fall-due-at-once-they-are-served-before-what-is-published-afterwards',
        async (bench) => {
          const topic = await bench.declare();
          await bench.send(...many(2_500, (n) => bench.entry(topic, `due ${n}`, { delayMs: 300 })));

          await bench.time.pass(1_300);
          await bench.send(...many(3, (n) => bench.entry(topic, `after ${n}`)));

          const seen = await bench.drain(await bench.subscribe(topic));
          assert.deepEqual([seen.length, ...seen.slice(-3)], [2_503, 'after 0', 'after 1', 'after 2']);
        },
        'virtual time',
      ),
      driverCase('what-is-due-is-served-while-the-backlog-never-ends', async (bench) => {
        const topic = await bench.declare();
        const reader = await bench.subscribe(topic);
        await bench.send(...many(50, (n) => bench.entry(topic, `old ${n}`)));
        await bench.send(bench.entry(topic, 'delayed', { delayMs: 200 }));

        const seen: (string | null)[] = [];
        for (let round = 0; round < 40 && !seen.includes('delayed'); round++) {
          const received = await bench.receive(reader, 10);
          seen.push(...idsOf(received));
          await bench.settleDone(reader, ...received.map(({ receipt }) => ack(receipt)));
          await bench.send(...many(10, (n) => bench.entry(topic, `round ${round} ${n}`)));
          await bench.time.pass(50);
        }

        assert.ok(seen.includes('delayed'), 'it starves behind the backlog');
      }),
      driverCase(
        'an-expired-lease-is-served-before-what-was-published-meanwhile',
        async (bench) => {
          const topic = await bench.declare();
          const holder = await bench.subscribe(topic);
          await bench.send(bench.entry(topic, 'held'));
          await bench.receiveOne(holder);
          await bench.send(...many(50, (n) => bench.entry(topic, `later ${n}`)));

          await bench.time.pass((bench.capabilities.lease?.ms ?? 0) + bench.time.quietMs);

          const [first] = await bench.receive(await bench.subscribe(topic), 1);
          assert.equal(first?.message.id, 'held');
        },
        'lease',
      ),
    ],
  ),
];
