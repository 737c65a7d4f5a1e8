import assert from 'node:assert/strict';
import { many } from '../bench.js';
import { type Case, driverCase, promise, queueCase } from '../case.js';
import { ids } from '../queue-bench.js';

export const idempotency: readonly Case[] = [
  ...promise(
    '7.1',
    "Where `dedup` is declared, a second publish with the same `idempotencyKey` within the topic's window stores nothing and answers `duplicate: true` with the first one's id.",
    [
      queueCase(
        'a-second-publish-with-the-key-stores-nothing-and-names-the-first',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);
          const first = await queue.publish(topic, 'first', { idempotencyKey: 'k' });

          const second = await queue.publish(topic, 'second', { idempotencyKey: 'k' });

          assert.deepEqual([second.id, second.duplicate], [first.id, true]);
          assert.deepEqual(ids(await bench.drain(queue, topic)), [first.id]);
        },
        'dedup',
      ),
      queueCase(
        'the-key-is-free-again-after-the-window-and-not-before',
        async (bench) => {
          const windowMs = 2 * bench.time.ample(1_000);
          const topic = bench.topic({ idempotencyWindowMs: windowMs });
          const queue = await bench.queue([topic]);
          await queue.publish(topic, 1, { idempotencyKey: 'k' });

          await bench.time.pass(bench.time.isVirtual ? windowMs - 1 : windowMs / 4);
          const within = await queue.publish(topic, 2, { idempotencyKey: 'k' });
          await bench.time.pass(bench.time.isVirtual ? 1 : windowMs);
          const after = await queue.publish(topic, 3, { idempotencyKey: 'k' });

          assert.deepEqual([within.duplicate, after.duplicate], [true, false]);
        },
        'dedup',
      ),
      queueCase(
        'the-key-is-kept-when-its-message-is-done',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);
          await queue.publish(topic, 1, { idempotencyKey: 'k' });
          await bench.drain(queue, topic);

          assert.equal((await queue.publish(topic, 2, { idempotencyKey: 'k' })).duplicate, true);
        },
        'dedup',
      ),
      queueCase(
        'keys-belong-to-their-topic',
        async (bench) => {
          const topics = [bench.topic(), bench.topic()] as const;
          const queue = await bench.queue(topics);
          await queue.publish(topics[0], 1, { idempotencyKey: 'k' });

          assert.equal((await queue.publish(topics[1], 1, { idempotencyKey: 'k' })).duplicate, false);
        },
        'dedup',
      ),
      queueCase(
        'of-twenty-concurrent-publishers-with-one-key-one-stores',
        async (bench) => {
          const topic = bench.topic();
          const queues = await Promise.all(many(4, () => bench.queue([topic])));

          const published = await bench.time.until(
            Promise.all(
              many(20, (n) => (queues[n % 4] as (typeof queues)[number]).publish(topic, n, { idempotencyKey: 'k' })),
            ),
          );

          const [delivery, ...others] = await bench.drain(queues[0] as (typeof queues)[number], topic);
          assert.equal(others.length, 0);
          assert.equal(published.filter(({ duplicate }) => !duplicate).length, 1);
          assert.deepEqual(new Set(published.map(({ id }) => id)), new Set([delivery?.message.id]));
        },
        'dedup',
      ),
      queueCase(
        'a-delayed-publish-and-an-entry-of-an-outbox-use-keys-too',
        async (bench) => {
          const topic = bench.topic();
          const other = bench.topic();
          const queue = await bench.queue([topic, other]);
          await queue.publishAfter(other, 'first', 100, { idempotencyKey: 'k' });
          const { seen } = await bench.consume(queue, topic, async ({ outbox }) => {
            await outbox.publish(other, 'second', { idempotencyKey: 'k' });
          });

          await queue.publish(topic, 1);
          await bench.time.eventually('it was handled', () => seen.length === 1);
          await bench.time.settle();
          await bench.isEmpty(queue, topic);
          await bench.time.pass(100);

          assert.deepEqual(
            (await bench.drain(queue, other)).map(({ message }) => message.body),
            ['first'],
          );
        },
        'dedup',
      ),
      driverCase(
        'a-repeated-send-with-a-key-answers-as-the-first-time',
        async (bench) => {
          const topic = await bench.declare();
          const dedup = { key: 'k', windowMs: 60_000 };
          const send = bench.entry(topic, 'one', { dedup, nonce: bench.name('nonce') });

          const first = await bench.trySend(send);
          const repeated = await bench.trySend(send);
          const other = await bench.trySend(bench.entry(topic, 'two', { dedup }));

          assert.deepEqual(
            [first, repeated, other].map(([result]) => result?.status),
            ['stored', 'stored', 'duplicate'],
          );
          assert.deepEqual(other[0], { status: 'duplicate', id: 'one' });
        },
        'dedup',
      ),
      queueCase(
        'an-empty-idempotency-key-is-refused-before-it-makes-everything-a-duplicate',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);

          await bench.rejects('invalid', queue.publish(topic, 1, { idempotencyKey: '' }));
          const results = await queue.publishBatch(topic, [
            { body: 2, id: 'refused', idempotencyKey: '' },
            { body: 3, id: 'stored' },
          ]);

          assert.deepEqual(
            results.map((result) => (result.status === 'failed' ? result.error.code : result.id)),
            ['invalid', 'stored'],
          );
          assert.deepEqual(ids(await bench.drain(queue, topic)), ['stored']);
        },
        'dedup',
      ),
    ],
  ),
  ...promise('7.2', 'Idempotency keys are compared as bytes: case, accents and trailing spaces matter.', [
    queueCase(
      'keys-that-differ-in-a-byte-are-different-keys',
      async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const long = 'x'.repeat(1_023);
        const keys = ['a', 'A', 'a ', ' a', 'ä', 'a\u0308', 'á', 'ß', 'ss', '1', '01', `${long}1`, `${long}2`, '🚦'];

        for (const idempotencyKey of keys) await queue.publish(topic, idempotencyKey, { idempotencyKey });

        assert.equal((await bench.drain(queue, topic)).length, keys.length);
        for (const idempotencyKey of keys)
          assert.equal((await queue.publish(topic, 1, { idempotencyKey })).duplicate, true, idempotencyKey);
      },
      'dedup',
    ),
  ]),
  ...promise(
    '7.3',
    'Where `dedup` is not declared, an `idempotencyKey` is refused with `unsupported` and nothing is stored; a window longer than the declared one is refused as well.',
    [
      queueCase(
        'an-idempotency-key-is-refused-where-there-are-none',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);

          await bench.rejects('unsupported', queue.publish(topic, 1, { idempotencyKey: 'k' }));
          await bench.rejects('unsupported', queue.publishAfter(topic, 1, 10, { idempotencyKey: 'k' }));
          const [entry] = await queue.publishBatch(topic, [{ body: 1, idempotencyKey: 'k' }]);

          assert.equal(entry?.status === 'failed' && entry.error.code, 'unsupported');
          assert.deepEqual(await bench.drain(queue, topic), []);
        },
        'no dedup',
      ),
      queueCase(
        'a-window-longer-than-the-backend-keeps-is-refused',
        async (bench) => {
          const windowMs = bench.capabilities.dedup?.windowMs ?? 0;
          const topic = bench.topic({ idempotencyWindowMs: windowMs + 1 });
          const queue = await bench.queue([topic]);

          await bench.rejects('unsupported', queue.publish(topic, 1, { idempotencyKey: 'k' }));

          assert.deepEqual(await bench.drain(queue, topic), []);
        },
        'dedup',
      ),
    ],
  ),
];
