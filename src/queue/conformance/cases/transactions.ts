import assert from 'node:assert/strict';
import { many, sorted } from '../bench.js';
import { type Case, promise, queueCase } from '../case.js';
import type { HarnessTransaction } from '../harness.js';
import { ids, type QueueBench } from '../queue-bench.js';

export const transactions: readonly Case[] = [
  ...promise(
    '8.1',
    "Where `transactions` is declared, `within(tx)` publishes inside the caller's own transaction: visible on its commit, gone on its rollback.",
    [
      queueCase(
        'what-is-published-within-is-visible-on-commit-and-not-before',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);
          const transaction = await begin(bench);

          const published = await queue.within(transaction.handle).publish(topic, 1, { id: 'within' });
          assert.deepEqual(ids(await bench.drain(queue, topic)), []);
          await transaction.commit();

          assert.deepEqual([published.id, published.duplicate], ['within', false]);
          assert.deepEqual(ids(await bench.drain(queue, topic)), ['within']);
        },
        'beginTransaction',
        'transactions',
      ),
      queueCase(
        'what-is-published-within-is-gone-on-rollback',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);
          const transaction = await begin(bench);

          await queue.within(transaction.handle).publish(topic, 1);
          await queue.within(transaction.handle).publishAfter(topic, 2, 50);
          await transaction.rollback();

          await bench.time.pass(100);
          assert.deepEqual(await bench.drain(queue, topic), []);
          await bench.isEmpty(queue, topic);
        },
        'beginTransaction',
        'transactions',
      ),
      queueCase(
        'a-batch-and-delays-within-a-transaction-keep-order-and-wait',
        async (bench) => {
          const topic = bench.topic({ ordering: 'key' });
          const queue = await bench.queue([topic]);
          const transaction = await begin(bench);
          const within = queue.within(transaction.handle);

          await within.publishBatch(
            topic,
            many(20, (n) => ({ body: n, key: 'k', id: `m${n}` })),
          );
          const delayMs = 2 * bench.time.ample(150);
          await within.publishAfter(topic, 'later', delayMs, { id: 'later', key: 'other' });
          await transaction.commit();

          assert.deepEqual(
            ids(await bench.drain(queue, topic)),
            many(20, (n) => `m${n}`),
          );
          await bench.time.pass(delayMs);
          assert.deepEqual(ids(await bench.drain(queue, topic)), ['later']);
        },
        'beginTransaction',
        'transactions',
      ),
      queueCase(
        'transactions-that-commit-in-reverse-order-lose-and-repeat-nothing',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);
          const { seen } = await bench.consume(queue, topic);
          const open = [await begin(bench), await begin(bench), await begin(bench)];
          for (const [n, { handle }] of open.entries()) await queue.within(handle).publish(topic, n, { id: `t${n}` });

          const order: (readonly string[])[] = [];
          for (const transaction of [...open].reverse()) {
            await transaction.commit();
            await bench.time.eventually('it has come', () => seen.length > (order.at(-1)?.length ?? 0));
            order.push(ids(seen));
          }
          await bench.time.settle();

          assert.deepEqual(
            order.map((each) => each.length),
            [1, 2, 3],
          );
          assert.deepEqual(ids(seen), ['t2', 't1', 't0']);
        },
        'beginTransaction',
        'transactions',
        'many writers',
      ),
      queueCase(
        'what-does-not-fit-is-refused-within-a-transaction-too',
        async (bench) => {
          const topic = bench.topic({ groups: { default: { patterns: ['known'] } } });
          const queue = await bench.queue([topic]);
          const transaction = await begin(bench);
          const within = queue.within(transaction.handle);

          await bench.rejects('invalid', within.publish(topic, 10n));
          await bench.rejects('unroutable', within.publish(topic, 1, { routingKey: 'unknown' }));
          await transaction.rollback();

          assert.deepEqual(await bench.drain(queue, topic), []);
        },
        'beginTransaction',
        'transactions',
      ),
    ],
  ),
  ...promise(
    '8.2',
    'A publish within a transaction makes no other publisher wait, except one that uses the same idempotency key, and except on a backend that declares a single writer.',
    [
      queueCase(
        'an-open-transaction-holds-up-no-other-publisher',
        async (bench) => {
          const topic = bench.topic({ ordering: 'key' });
          const queue = await bench.queue([topic]);
          const transaction = await begin(bench);
          await queue.within(transaction.handle).publish(topic, 1, { id: 'within', key: 'k' });

          await bench.time.until(queue.publish(topic, 2, { id: 'beside', key: 'k' }), 5_000);

          assert.deepEqual(ids(await bench.drain(queue, topic)), ['beside']);
          await transaction.commit();
          assert.deepEqual(ids(await bench.drain(queue, topic)), ['within']);
        },
        'beginTransaction',
        'transactions',
        'many writers',
      ),
      queueCase(
        'a-publish-with-the-same-key-waits-for-the-transaction-and-is-a-duplicate-after-its-commit',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);
          const transaction = await begin(bench);
          const options = { idempotencyKey: 'k' };
          const first = await queue.within(transaction.handle).publish(topic, 1, options);

          const waiting = queue.publish(topic, 2, options);
          await bench.time.settle();
          await transaction.commit();

          const second = await bench.time.until(waiting);
          assert.deepEqual([second.duplicate, second.id], [true, first.id]);
          assert.deepEqual(ids(await bench.drain(queue, topic)), [first.id]);
        },
        'beginTransaction',
        'transactions',
        'dedup',
        'many writers',
      ),
      queueCase(
        'a-publish-with-the-same-key-waits-for-the-transaction-and-is-stored-after-its-rollback',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);
          const transaction = await begin(bench);
          await queue.within(transaction.handle).publish(topic, 1, { idempotencyKey: 'k' });

          const waiting = queue.publish(topic, 2, { id: 'second', idempotencyKey: 'k' });
          await bench.time.settle();
          await transaction.rollback();

          assert.equal((await bench.time.until(waiting)).duplicate, false);
          assert.deepEqual(sorted(ids(await bench.drain(queue, topic))), ['second']);
        },
        'beginTransaction',
        'transactions',
        'dedup',
        'many writers',
      ),
    ],
  ),
  ...promise(
    '8.3',
    'Where `transactions` is not declared, `within` is refused with `unsupported` and nothing is stored.',
    [
      queueCase(
        'publishing-within-a-transaction-is-refused-where-there-are-none',
        async (bench) => {
          const topic = bench.topic();
          const queue = await bench.queue([topic]);

          await bench.rejects('unsupported', () => queue.within({}).publish(topic, 1));

          assert.deepEqual(await bench.drain(queue, topic), []);
        },
        'no transactions',
      ),
    ],
  ),
];

async function begin(bench: QueueBench): Promise<HarnessTransaction> {
  const { beginTransaction } = bench.harness;
  if (beginTransaction === undefined) throw new Error('the case needs beginTransaction');
  const transaction = await beginTransaction();
  bench.atEnd(async () => transaction.rollback());
  return transaction;
}
