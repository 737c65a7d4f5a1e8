import assert from 'node:assert/strict';
import { gate, many, never, sorted } from '../bench.js';
import { type Case, driverCase, promise, queueCase } from '../case.js';
import { type DriverEvent, PermanentError } from '../contract.js';
import { Interruption } from '../interference.js';
import { ids } from '../queue-bench.js';

const quick = { initialMs: 20, jitter: 0 };

export const events: readonly Case[] = [
  ...promise(
    'H1',
    'Each fact has its typed event, at most once: published, delivered, settled, retried, dead-lettered, given-back, lease-lost, handler-failed, settle-failed, resubscribed, connected, disconnected, reconnecting, blocked, unblocked, closed. The events of a message come in the order of its life.',
    [
      queueCase('the-life-of-a-message-is-told-in-order', async (bench) => {
        const topic = bench.topic({ maxAttempts: 2, backoff: quick });
        const queue = await bench.queue([topic]);
        const heard = bench.listen(
          queue,
          'published',
          'delivered',
          'handler-failed',
          'settled',
          'retried',
          'dead-lettered',
        );
        await queue.publish(topic, null, { id: 'm' });
        const { consumer } = await bench.consume(queue, topic, async (delivery) => {
          if (delivery.postpones === 0) return delivery.postpone(5);
          throw new Error('always');
        });

        await bench.time.eventually('it is dead', () => heard.some(({ name }) => name === 'dead-lettered'));
        await bench.time.settle();

        const verbs = heard.map((event) => ('verb' in event ? `settled by ${event.verb}` : event.name));
        assert.deepEqual(verbs, [
          ...['published', 'delivered', 'settled by postpone'],
          ...['delivered', 'handler-failed', 'settled by nack', 'retried'],
          ...['delivered', 'handler-failed', 'settled by nack', 'dead-lettered'],
        ]);
        for (const event of heard) assert.equal(event.id, 'm');
        for (const event of heard) if ('consumer' in event) assert.equal(event.consumer, consumer.consumer);
      }),
      queueCase('the-events-count-what-happened', async (bench) => {
        const topic = bench.topic({ groups: { one: {}, two: {} }, maxAttempts: 3, backoff: quick });
        const queue = await bench.queue([topic]);
        const counts: Record<string, number> = {};
        for (const name of [
          'published',
          'delivered',
          'settled',
          'retried',
          'dead-lettered',
          'handler-failed',
          'lease-lost',
        ] as const)
          queue.events.on(name, () => {
            counts[name] = (counts[name] ?? 0) + 1;
          });
        for (const group of ['one', 'two'])
          await bench.consume(
            queue,
            topic,
            ({ message, attempt }) => {
              const n = message.body as number;
              if (n % 10 === 0) throw new Error('always');
              if (n % 10 === 1) throw new PermanentError('poison');
              if (n % 10 === 2 && attempt === 1) throw new Error('once');
            },
            { group },
          );

        await bench.time.until(
          queue.publishBatch(
            topic,
            many(100, (n) => ({ body: n })),
          ),
        );
        const dead = async (group: string) => (await queue.admin.deadLetters(topic, group).list()).letters.length;
        await bench.time.eventually('all is over', async () => (await dead('one')) + (await dead('two')) === 40);
        await bench.time.settle();

        // Per group: 10 fail three times, 10 are poison, 10 fail once, 70 pass.
        assert.deepEqual(counts, {
          published: 100,
          delivered: 2 * (30 + 10 + 20 + 70),
          settled: 2 * (30 + 10 + 20 + 70),
          'handler-failed': 2 * (30 + 10 + 10),
          retried: 2 * (20 + 10),
          'dead-lettered': 2 * 20,
        });
      }),
      queueCase('what-is-refused-is-not-told-as-published', async (bench) => {
        const topic = bench.topic({ groups: { default: { patterns: ['known'] } } });
        const queue = await bench.queue([topic]);
        const heard = bench.listen(queue, 'published');

        await bench.rejects('unroutable', queue.publish(topic, null));
        await bench.rejects('invalid', queue.publish(topic, 10n));
        await queue.publishAfter(topic, null, 50, { id: 'm', routingKey: 'known' });

        assert.deepEqual(
          heard.map(({ id, delayMs, duplicate }) => [id, delayMs, duplicate]),
          [['m', 50, false]],
        );
      }),
      queueCase(
        'a-lost-delivery-is-told-once',
        async (bench) => {
          const topic = bench.topic();
          const { queue, driver } = await bench.opened([topic]);
          const lost = bench.listen(queue, 'lease-lost');
          await bench.time.until(
            queue.publishBatch(
              topic,
              many(3, (n) => ({ body: n, id: `m${n}` })),
            ),
          );
          const { seen } = await bench.consume(
            queue,
            topic,
            ({ signal, redeliveries }) =>
              redeliveries > 0 ? never() : new Promise((resolve) => signal.addEventListener('abort', resolve)),
            { concurrency: 3, prefetch: 3 },
          );
          await bench.time.eventually('all have come', () => seen.length === 3);

          await bench.cut(driver);
          await bench.time.eventually('all are lost', () => lost.length >= 3, bench.recoveryMs);
          await bench.time.eventually('all have come again', () => seen.length === 6, bench.recoveryMs);

          assert.deepEqual(sorted(lost.map(({ id }) => id)), ['m0', 'm1', 'm2']);
        },
        'cutConnections',
      ),
      queueCase('what-is-given-back-is-told', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const heard = bench.listen(queue, 'given-back');
        const slow = gate();
        const { consumer, seen } = await bench.consume(queue, topic, () => slow.opened, { concurrency: 1 });
        await bench.time.until(
          queue.publishBatch(
            topic,
            many(3, (n) => ({ body: n })),
          ),
        );
        await bench.time.eventually('one has come', () => seen.length === 1);
        await bench.time.settle();

        const closing = consumer.close();
        await bench.time.settle();
        slow.open();
        await bench.time.until(closing);

        assert.equal(new Set(heard.map(({ id }) => id)).size, 2);
      }),
      queueCase('what-a-driver-tells-of-its-connection-is-told-with-the-name-of-the-backend', async (bench) => {
        let tell: (event: DriverEvent) => void = () => {};
        const { queue, driver } = await bench.opened([], {
          interference: {
            host: (host) => {
              tell = (event) => host.emit(event);
            },
          },
        });
        const heard = bench.listen(queue, 'blocked', 'unblocked', 'disconnected', 'reconnecting', 'connected');
        const backend = driver.name;

        tell({ type: 'blocked', reason: 'memory alarm' });
        tell({ type: 'unblocked' });
        tell({ type: 'disconnected', cause: 'gone' });
        tell({ type: 'reconnecting', attempt: 1, delayMs: 50 });
        tell({ type: 'connected' });

        assert.deepEqual(heard, [
          { name: 'blocked', backend, reason: 'memory alarm' },
          { name: 'unblocked', backend },
          { name: 'disconnected', backend, cause: 'gone' },
          { name: 'reconnecting', backend, attempt: 1, delayMs: 50 },
          { name: 'connected', backend },
        ]);
      }),
      queueCase('who-stopped-listening-hears-nothing', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        let heard = 0;
        const stop = queue.events.on('published', () => {
          heard++;
        });

        await queue.publish(topic, null);
        stop();
        stop();
        await queue.publish(topic, null);

        assert.equal(heard, 1);
      }),
    ],
  ),
  ...promise(
    'H2',
    '`health()` is data, and asks nobody: status, backend, whether it is open and connected, why the backend takes nothing at present, what each consumer holds, or the backend for it, and why one is not served.',
    [
      queueCase('health-says-how-it-is', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const slow = gate();
        const { consumer, seen } = await bench.consume(queue, topic, () => slow.opened);
        await queue.publish(topic, null);
        await bench.time.eventually('it has come', () => seen.length === 1);

        const busy = queue.health();
        slow.open();
        await bench.time.until(consumer.close());
        const idle = queue.health();
        await bench.time.until(queue.close());
        const closed = queue.health();

        assert.deepEqual(structuredClone(busy), busy);
        assert.deepEqual([busy.status, busy.open, busy.connected, busy.blocked], ['ok', true, true, null]);
        assert.deepEqual(busy.consumers, [
          {
            consumer: consumer.consumer,
            topic: topic.name,
            group: 'default',
            held: 1,
            paused: false,
            stranded: 0,
            trouble: null,
          },
        ]);
        assert.deepEqual([idle.status, idle.consumers], ['ok', []]);
        assert.deepEqual([closed.status, closed.open], ['down', false]);
      }),
      driverCase('a-driver-knows-whether-it-is-connected', async (bench) => {
        const driver = await bench.open();
        const before = driver.health();
        await bench.time.until(driver.close());

        assert.deepEqual([before, driver.health().connected], [{ connected: true, blocked: null }, false]);
      }),
    ],
  ),
  ...promise(
    'H3',
    'A settle that could not be brought to the backend is told, and so is every failure of a handler; a logger or a listener that throws changes nothing for a message.',
    [
      queueCase('a-handler-that-fails-is-told-with-its-error', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const heard = bench.listen(queue, 'handler-failed');
        const failure = new TypeError('no such thing');
        await bench.consume(queue, topic, () => {
          throw failure;
        });

        await queue.publish(topic, null, { id: 'm' });
        await bench.time.eventually('it is told', () => heard.length === 1);

        assert.deepEqual([heard[0]?.id, heard[0]?.error], ['m', failure]);
      }),
      queueCase('a-logger-that-throws-changes-nothing', async (bench) => {
        const topic = bench.topic({ maxAttempts: 2, backoff: quick });
        const throwing = (): never => {
          throw new Error('the disk is full');
        };
        const queue = await bench.queue([topic], { logger: { info: throwing, warn: throwing } });
        const { consumer, seen } = await bench.consume(queue, topic, () => {
          throw new Error('always');
        });

        await queue.publish(topic, null);
        await bench.time.eventually(
          'it is dead',
          async () => (await queue.admin.deadLetters(topic).list()).letters.length === 1,
        );
        await bench.time.until(consumer.close());

        assert.equal(seen.length, 2);
      }),
      queueCase('a-settle-that-is-refused-for-good-is-told', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic], {
          interference: { settle: () => Promise.reject(new Interruption({ retryable: false, outcomeUnknown: true })) },
        });
        const heard = bench.listen(queue, 'settle-failed');
        await queue.publish(topic, null, { id: 'm' });
        const delivery = await bench.subscribe(queue, topic, { prefetch: 1 }).next();

        await bench.rejects('unavailable', () => delivery.ack());

        assert.deepEqual(
          heard.map(({ id }) => id),
          ['m'],
        );
      }),
      queueCase(
        'what-the-backend-will-not-settle-comes-again-by-itself',
        async (bench) => {
          const topic = bench.topic();
          let refusals = 2; // the ack, and the nack that the library tries instead
          const queue = await bench.queue([topic], {
            interference: {
              settle: async (next, batch) => {
                if (refusals === 0) return next();
                refusals--;
                return batch.map(() => ({
                  status: 'failed',
                  error: new Interruption({ code: 'denied', retryable: false }),
                }));
              },
            },
          });
          const anew = bench.listen(queue, 'resubscribed');
          await queue.publish(topic, null, { id: 'm' });

          const { seen } = await bench.consume(queue, topic, () => {}, { prefetch: 1 });
          await bench.time.eventually('it comes again', () => seen.length === 2, bench.recoveryMs);

          assert.deepEqual(ids(seen), ['m', 'm']);
          assert.deepEqual(
            anew.map(({ group, stranded }) => [group, stranded]),
            [['default', 1]],
          );
          await bench.isEmpty(queue, topic);
        },
        'no lease',
      ),
    ],
  ),
];
