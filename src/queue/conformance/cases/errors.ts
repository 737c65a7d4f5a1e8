import assert from 'node:assert/strict';
import { z } from 'zod';
import { many } from '../bench.js';
import { type Case, driverCase, promise, queueCase } from '../case.js';
import { defineTopic, QueueError, queueErrorCodes, Refusal } from '../contract.js';
import { Interruption } from '../interference.js';

export const errors: readonly Case[] = [
  ...promise(
    'E1',
    'Every error is a `QueueError` with a `code` from a closed list, `retryable`, `outcomeUnknown`, `backend` and `cause`; its message names the operation, the subject and the remedy, and holds no secret and no body.',
    [
      queueCase('errors-name-operation-subject-and-remedy', async (bench) => {
        const topic = bench.topic({ groups: { default: { patterns: ['known'] } } });
        const foreign = bench.topic();
        const queue = await bench.queue([topic]);
        const errors = [
          await bench.rejects('invalid', queue.publish(topic, 10n)),
          await bench.rejects('unroutable', queue.publish(topic, null)),
          await bench.rejects('not-found', queue.publish(foreign, null)),
          await bench.rejects('not-found', () => queue.consume(topic, () => {}, { group: 'nobody' })),
          await bench.rejects(
            'payload-too-large',
            queue.publish(topic, 'x'.repeat(2_000_000), { routingKey: 'known' }),
          ),
          await bench.rejects('invalid', () => queue.consume(topic, 'no handler' as never)),
          await bench.rejects('invalid', () => queue.subscribe(topic, { prefetch: 0 })),
        ];

        for (const error of errors) {
          assert.ok(queueErrorCodes.includes(error.code));
          assert.match(error.message, /^cannot .+[:;] .+/s);
          assert.ok(error.message.length < 1_000);
          assert.deepEqual([error.retryable, error.outcomeUnknown, error.name], [false, false, 'QueueError']);
        }
      }),
      queueCase('an-error-of-the-backend-carries-its-cause-and-what-it-means', async (bench) => {
        const topic = bench.topic();
        const codes = [
          'denied',
          'auth',
          'internal',
          'resource-exhausted',
          'conflict',
          'timeout',
          'unavailable',
        ] as const;
        for (const code of codes) {
          const interruption = new Interruption({ code, retryable: false });
          const queue = await bench.queue([topic], { interference: { send: () => Promise.reject(interruption) } });

          const error = await bench.rejects(code, queue.publish(topic, null));

          assert.equal(error.cause, interruption);
          assert.equal(typeof error.backend, 'string');
          assert.ok(error.message.includes(topic.name));
        }
      }),
      driverCase('a-driver-refuses-with-a-code-a-subject-and-a-remedy', async (bench) => {
        const topic = bench.topology();
        const calls = [
          () =>
            bench.driver.subscribe({ topic: topic.name, group: 'default', prefetch: 1, consumer: 'c', onLost() {} }),
          () => bench.driver.admin.depth(topic.name, 'default'),
          () => bench.driver.admin.redrive({ kind: 'dead', topic: topic.name, group: 'default' }, 'all'),
          () => bench.driver.admin.purge({ kind: 'dead', topic: topic.name, group: 'default' }, 'all'),
          () => bench.driver.admin.letters({ kind: 'dead', topic: topic.name, group: 'x' }, { limit: 1, cursor: null }),
          () => bench.driver.admin.addGroup(topic.name, { name: 'x', patterns: ['#'] }),
          () => bench.driver.declare({ topics: [topic] }, { mode: 'check', change: false }),
        ];

        for (const call of calls) {
          const error: unknown = await bench.time.until(
            Promise.resolve(call()).then(
              () => null,
              (thrown: unknown) => thrown,
            ),
          );
          assert.ok(error instanceof Refusal, `expected a refusal, not ${String(error)}`);
          assert.equal(error.code, 'not-found');
          assert.ok(error.message.includes(topic.name) && error.remedy.length > 0);
        }
      }),
      driverCase('what-a-driver-does-not-know-it-classifies-all-the-same', async (bench) => {
        for (const error of [new Error('unknown'), 'a text', null, undefined, { code: 7 }]) {
          const { code, retryable, outcomeUnknown } = bench.driver.classify(error);
          assert.ok(queueErrorCodes.includes(code));
          assert.deepEqual([typeof retryable, typeof outcomeUnknown], ['boolean', 'boolean']);
        }
      }),
    ],
  ),
  ...promise(
    'E2',
    "A caller's mistake fails at once, where it is made: a misspelt option, a number that makes no sense, a name that cannot be.",
    [
      queueCase('options-that-cannot-be-are-refused', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const publishes: object[] = [
          { kee: 'k' },
          { id: '' },
          { id: 7 },
          { key: 'x'.repeat(256) },
          { key: 'a\u0000b' },
          { key: '\ud800' },
          { routingKey: 'x'.repeat(256) },
          { headers: { n: 7 } },
          { headers: ['a'] },
          { headers: { '': 'empty' } },
          { headers: { 'x-signalbox-mine': 'no' } },
          { headers: { h: '\udfff' } },
        ];

        for (const options of publishes) await bench.rejects('invalid', queue.publish(topic, null, options as never));
        for (const options of [
          { concurrency: 0 },
          { concurrency: 1.5 },
          { timeoutMs: -1 },
          { timeoutMs: 0 },
          { grupp: 'x' },
        ])
          await bench.rejects('invalid', () => queue.consume(topic, () => {}, options as never));
        await bench.rejects('invalid', () => queue.close({ deadlineMs: Number.NaN }));

        assert.deepEqual(await bench.drain(queue, topic), []);
      }),
      queueCase('topics-that-cannot-be-are-refused-where-they-are-defined', async (bench) => {
        const schema = z.unknown();
        const names = ['', 'a*', '#', 'a\nb', 'x'.repeat(101), '\ud800', 7, null];
        for (const name of names) await bench.rejects('invalid', () => defineTopic(name as never, { schema }));
        const options: object[] = [
          {},
          { schema: 'none' },
          { schema, groups: {} },
          { schema, groups: { 'a*': {} } },
          { schema, groups: { default: { patterns: [] } } },
          { schema, ordering: 'some' },
          { schema, lanes: 4 },
          { schema, ordering: 'key', lanes: 0 },
          { schema, maxAttempts: 0 },
          { schema, maxRedeliveries: -1 },
          { schema, maxBodyBytes: Number.NaN },
          { schema, backoff: { factor: 0.5 } },
          { schema, deadLetters: { notice: 'a topic' } },
          { schema, colour: 'red' },
        ];
        for (const each of options) await bench.rejects('invalid', () => defineTopic('fine', each as never));
      }),
      queueCase('two-topics-of-one-name-are-refused', async (bench) => {
        const name = bench.name('topic');
        const topics = many(2, () => defineTopic(name, { schema: z.unknown() }));

        await bench.rejects('invalid', () => bench.queue(topics));
      }),
      queueCase('a-topic-asks-for-no-more-than-the-backend-can', async (bench) => {
        const tooMany = bench.topic({ ordering: 'key', lanes: bench.capabilities.ordering.lanes + 1 });
        await bench.rejects('unsupported', () => bench.queue([tooMany]));
      }),
      queueCase('the-topic-must-be-one-that-the-queue-was-opened-with', async (bench) => {
        const [mine, other] = [bench.topic(), bench.topic()];
        const queue = await bench.queue([mine]);

        await bench.rejects('not-found', queue.publish(other, null));
        await bench.rejects('invalid', queue.publish('a name' as never, null as never));
        await bench.rejects('not-found', () => queue.subscribe(other));
      }),
      queueCase('a-driver-is-opened-once', async (bench) => {
        const topic = bench.topic();
        const { driver } = await bench.opened([topic]);

        const error: unknown = await bench.opened([topic], { client: driver }).then(
          () => null,
          (thrown: unknown) => thrown,
        );

        assert.ok(error instanceof QueueError, 'a second opening of one driver was accepted');
      }),
    ],
  ),
];
