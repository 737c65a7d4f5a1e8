import assert from 'node:assert/strict';
import { z } from 'zod';
import { many, sorted } from '../bench.js';
import { type Case, driverCase, promise, queueCase } from '../case.js';
import { defineTopic } from '../contract.js';
import { Interruption } from '../interference.js';
import { bodies, ids } from '../queue-bench.js';

export const publishing: readonly Case[] = [
  ...promise(
    '1.1',
    '`publish` resolves when the message is stored for every group it belongs to, and answers its id, how many groups took it (null where the backend cannot tell), and whether it was a duplicate.',
    [
      driverCase('what-was-sent-is-there-for-every-group-that-accepts-it', async (bench) => {
        const topic = await bench.declare({
          groups: [
            { name: 'all', patterns: ['#'] },
            { name: 'eu', patterns: ['eu.#'] },
            { name: 'us', patterns: ['us.#'] },
          ],
        });

        const [result] = await bench.trySend(bench.entry(topic, 'one', { routingKey: 'eu.berlin' }));

        assert.equal(result?.status, 'stored');
        if (result?.status === 'stored') assert.ok(result.groups === 2 || result.groups === null);
        const readers = await Promise.all(['all', 'eu', 'us'].map((group) => bench.subscribe(topic, { group })));
        const seen = await Promise.all(readers.map((reader) => bench.drain(reader)));
        assert.deepEqual(seen, [['one'], ['one'], []]);
      }),
      queueCase('publish-answers-id-groups-and-duplicate', async (bench) => {
        const topic = bench.topic({ groups: { default: {}, audit: {}, us: { patterns: ['us.#'] } } });
        const queue = await bench.queue([topic]);

        const published = await queue.publish(topic, 'hello', { id: 'greeting-1', routingKey: 'eu' });

        assert.equal(published.id, 'greeting-1');
        assert.equal(published.duplicate, false);
        assert.ok(published.groups === 2 || published.groups === null);
      }),
      queueCase('a-message-published-before-there-was-a-consumer-waits-for-it', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await queue.publish(topic, 'early', { id: 'early' });
        await bench.time.until(queue.close());

        const later = await bench.queue([topic]);

        assert.deepEqual(ids(await bench.drain(later, topic)), ['early']);
      }),
      queueCase('a-hundred-messages-arrive-as-they-were-published', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const entries = many(100, (n) => ({
          id: `id-${n}`,
          body: { n, text: `body ${n} äöü 🚦`, nested: [n, null, true] },
          headers: { n: String(n), empty: '' },
          routingKey: `r.${n}`,
        }));

        await bench.time.until(Promise.all(entries.map(({ body, ...options }) => queue.publish(topic, body, options))));

        const seen = await bench.drain(queue, topic);
        const byId = new Map(seen.map(({ message }) => [message.id, message]));
        assert.equal(seen.length, 100);
        for (const { id, body, headers, routingKey } of entries) {
          const message = byId.get(id);
          assert.deepEqual(
            { body: message?.body, headers: { ...message?.headers }, routingKey: message?.routingKey },
            { body, headers, routingKey },
          );
        }
      }),
      queueCase('the-object-that-was-published-may-be-changed-at-once', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const body = { value: 'original' };
        const headers = { h: 'original' };

        const publishing = queue.publish(topic, body, { headers });
        body.value = 'changed';
        headers.h = 'changed';
        await bench.time.until(publishing);
        body.value = 'changed again';

        const [delivery] = await bench.drain(queue, topic);
        assert.deepEqual([delivery?.message.body, delivery?.message.headers.h], [{ value: 'original' }, 'original']);
      }),
    ],
  ),

  ...promise(
    '1.2',
    "Where `durable` is declared, what was published survives the end of every process that knew of it, the backend's own included.",
    [
      driverCase(
        'a-backend-that-was-killed-after-a-send-has-it-when-it-is-back',
        async (bench) => {
          const topic = await bench.declare();
          await bench.send(...many(100, (n) => bench.entry(topic, `m${n}`)));

          await bench.harness.restartBackend?.();

          const driver = await bench.open();
          const reader = await bench.subscribe(topic, { driver });
          assert.deepEqual(sorted(await bench.drain(reader)), sorted(many(100, (n) => `m${n}`)));
        },
        'restartBackend',
        'durable',
      ),
      queueCase(
        'what-waits-what-is-delayed-and-what-is-dead-survives-a-restart-of-the-backend',
        async (bench) => {
          const topic = bench.topic();
          const first = await bench.queue([topic]);
          await first.publish(topic, 'dead', { id: 'dead' });
          const reading = bench.subscribe(first, topic);
          await (await reading.next()).reject('no good');
          await bench.time.until(reading.subscription.close());
          await first.publish(topic, 'waits', { id: 'waits' });
          await first.publishAfter(topic, 'delayed', 500, { id: 'delayed' });

          await bench.harness.restartBackend?.();

          const second = await bench.queue([topic]);
          const { seen } = await bench.consume(second, topic);
          await bench.time.eventually('both have come', () => seen.length === 2);
          const { letters } = await second.admin.deadLetters(topic).list();
          assert.deepEqual([sorted(ids(seen)), letters.map(({ id }) => id)], [['delayed', 'waits'], ['dead']]);
        },
        'restartBackend',
        'durable',
      ),
    ],
  ),
  ...promise('1.3', 'A publish that was rejected has stored nothing, unless its error says `outcomeUnknown`.', [
    queueCase('an-aborted-signal-publishes-nothing', async (bench) => {
      const topic = bench.topic();
      const queue = await bench.queue([topic]);

      const error = await bench.rejects('aborted', queue.publish(topic, 1, { signal: AbortSignal.abort() }));

      assert.equal(error.outcomeUnknown, false);
      assert.deepEqual(await bench.drain(queue, topic), []);
    }),
    queueCase('aborting-a-publish-that-is-under-way-says-that-its-outcome-is-unknown', async (bench) => {
      const topic = bench.topic();
      const never = new Promise<never>(() => {});
      const queue = await bench.queue([topic], { interference: { send: () => never } });
      const controller = new AbortController();

      const publishing = queue.publish(topic, 1, { signal: controller.signal });
      await bench.time.settle();
      controller.abort();

      const error = await bench.rejects('aborted', publishing);
      assert.equal(error.outcomeUnknown, true);
    }),
    queueCase('a-publish-that-waits-behind-another-can-be-aborted-and-is-not-sent', async (bench) => {
      const topic = bench.topic();
      const sent: string[] = [];
      let answer = (): void => {};
      const first = new Promise<void>((resolve) => {
        answer = resolve;
      });
      const queue = await bench.queue([topic], {
        interference: {
          send: async (next, batch) => {
            sent.push(...batch.map(({ message }) => String(message.id)));
            await first;
            return next();
          },
        },
      });
      const controller = new AbortController();
      const one = queue.publish(topic, 1, { id: 'one', key: 'same' });
      await bench.time.settle();

      const two = queue.publish(topic, 2, { id: 'two', key: 'same', signal: controller.signal });
      await bench.time.settle();
      controller.abort();

      const error = await bench.rejects('aborted', two);
      answer();
      await bench.time.until(one);
      assert.deepEqual([error.outcomeUnknown, sent], [false, ['one']]);
    }),
    queueCase('a-send-whose-answer-was-lost-and-cannot-be-repeated-has-an-unknown-outcome', async (bench) => {
      const topic = bench.topic();
      const queue = await bench.queue([topic], {
        interference: {
          send: async (next) => {
            await next();
            throw new Interruption({ retryable: false, outcomeUnknown: true });
          },
        },
      });

      const error = await bench.rejects('unavailable', queue.publish(topic, 1));

      assert.equal(error.outcomeUnknown, true);
    }),
    queueCase(
      'a-backend-that-never-takes-it-leaves-it-rejected-and-known-not-to-be-stored',
      async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic], {
          interference: {
            send: async () => {
              throw new Interruption({ code: 'unavailable', retryable: true, outcomeUnknown: false });
            },
          },
        });

        const error = await bench.rejects('unavailable', queue.publish(topic, 1));

        assert.deepEqual([error.outcomeUnknown, error.retryable], [false, true]);
        assert.deepEqual(await bench.drain(await bench.queue([topic]), topic), []);
      },
      'virtual time',
    ),
    queueCase('publishing-after-close-is-refused', async (bench) => {
      const topic = bench.topic();
      const queue = await bench.queue([topic]);
      await bench.time.until(queue.close());

      await bench.rejects('closed', queue.publish(topic, 1));

      assert.deepEqual(await bench.drain(await bench.queue([topic]), topic), []);
    }),
    queueCase('each-of-a-thousand-publishes-that-a-close-overtakes-is-stored-or-rejected', async (bench) => {
      const topic = bench.topic();
      const queue = await bench.queue([topic]);

      const publishing = many(1_000, (n) => queue.publish(topic, n, { id: `m${n}` }));
      const closing = queue.close();
      const outcomes = await bench.time.until(Promise.allSettled(publishing));
      await bench.time.until(closing);

      const published = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.id] : []));
      const stored = new Set(ids(await bench.drain(await bench.queue([topic]), topic)));
      assert.deepEqual(
        published.filter((id) => !stored.has(id)),
        [],
      );
      const rejected = outcomes.filter((outcome) => outcome.status === 'rejected');
      for (const { reason } of rejected) assert.ok(reason.code === 'closed' || reason.code === 'aborted');
    }),
  ]),
  ...promise('1.4', 'Calls of one publisher keep their order per key, also when one of them had to be repeated.', [
    queueCase('a-publish-that-is-repeated-is-not-overtaken-by-a-later-one-of-its-key', async (bench) => {
      const topic = bench.topic({ ordering: 'key' });
      let failures = 2;
      const queue = await bench.queue([topic], {
        interference: {
          send: async (next) => {
            if (failures-- > 0) throw new Interruption();
            return next();
          },
        },
      });

      const publishing: Promise<unknown>[] = [];
      for (let n = 0; n < 20; n++) {
        publishing.push(queue.publish(topic, n, { key: `key ${n % 2}` }));
        if (n % 5 === 0) await bench.time.settle();
      }
      await bench.time.until(Promise.all(publishing));

      const seen = bodies(await bench.drain(queue, topic)) as number[];
      assert.deepEqual(
        seen.filter((n) => n % 2 === 0),
        many(10, (n) => 2 * n),
      );
      assert.deepEqual(
        seen.filter((n) => n % 2 === 1),
        many(10, (n) => 2 * n + 1),
      );
    }),
    queueCase('an-entry-that-alone-has-to-be-repeated-keeps-its-place-in-its-key', async (bench) => {
      const topic = bench.topic({ ordering: 'key' });
      let failed = false;
      const queue = await bench.queue([topic], {
        interference: {
          send: async (next, batch) => {
            if (failed || batch.length < 3) return next();
            failed = true;
            const error = new Interruption({ code: 'conflict' });
            return batch.map(() => ({ status: 'failed' as const, error }));
          },
        },
      });

      const publishing = many(5, (n) => queue.publish(topic, n, { key: 'k' }));
      await bench.time.settle();
      publishing.push(queue.publish(topic, 5, { key: 'k' }));
      await bench.time.until(Promise.all(publishing));

      assert.deepEqual(bodies(await bench.drain(queue, topic)), [0, 1, 2, 3, 4, 5]);
    }),
    queueCase('a-body-that-takes-long-to-check-is-not-overtaken-by-a-later-one-of-its-key', async (bench) => {
      const schema = z.unknown().refine(async (n) => {
        await bench.time.sleep(n === 0 ? 50 : 1);
        return true;
      });
      const topic = bench.topic({ ordering: 'key', schema });
      const queue = await bench.queue([topic]);
      const { seen } = await bench.consume(queue, topic);

      await bench.time.until(Promise.all(many(5, (n) => queue.publish(topic, n, { key: 'k' }))));
      await bench.time.eventually('all have come', () => seen.length === 5);

      assert.deepEqual(bodies(seen), [0, 1, 2, 3, 4]);
    }),
    driverCase('after-an-entry-that-failed-later-ones-of-its-key-are-not-stored', async (bench) => {
      const topic = await bench.declare({
        ordering: 'key',
        groups: [{ name: 'default', patterns: ['routed'] }],
      });
      const routed = { routingKey: 'routed' };

      const results = await bench.trySend(
        bench.entry(topic, 'a1', { key: 'a', ...routed }),
        bench.entry(topic, 'a2', { key: 'a', routingKey: 'nowhere' }),
        bench.entry(topic, 'b1', { key: 'b', ...routed }),
        bench.entry(topic, 'a3', { key: 'a', ...routed }),
      );

      assert.deepEqual(
        results.map(({ status }) => status),
        ['stored', 'failed', 'stored', 'failed'],
      );
      assert.deepEqual(sorted(await bench.drain(await bench.subscribe(topic))), ['a1', 'b1']);
    }),
  ]),
  ...promise(
    '1.5',
    'A repeated send of one call is recognised by a nonce of that call where `dedup` is declared: it stores nothing and answers as the first time. Elsewhere it may be stored twice. A message id is only a name and never a reason to swallow a message.',
    [
      driverCase(
        'a-repeated-send-of-one-call-is-stored-once',
        async (bench) => {
          const topic = await bench.declare();
          const once = bench.entry(topic, 'once', { nonce: bench.name('nonce') });
          await bench.send(once);

          const [again] = await bench.trySend(once);

          assert.equal(again?.status, 'stored');
          assert.deepEqual(await bench.drain(await bench.subscribe(topic)), ['once']);
        },
        'dedup',
      ),
      driverCase('two-sends-with-one-id-are-two-messages', async (bench) => {
        const topic = await bench.declare();

        await bench.send(bench.entry(topic, 'same'), bench.entry(topic, 'same'));
        await bench.send(bench.entry(topic, 'same'));

        assert.deepEqual(await bench.drain(await bench.subscribe(topic)), ['same', 'same', 'same']);
      }),
      queueCase(
        'a-publish-whose-answer-was-lost-is-repeated-and-stored-once',
        async (bench) => {
          const topic = bench.topic();
          let answersLost = 0;
          const queue = await bench.queue([topic], {
            interference: {
              send: async (next) => {
                const results = await next();
                if (answersLost++ === 0) throw new Interruption({ outcomeUnknown: true });
                return results;
              },
            },
          });

          const published = await bench.time.until(queue.publish(topic, 1, { id: 'once' }));

          assert.deepEqual([published.id, published.duplicate], ['once', false]);
          assert.deepEqual(ids(await bench.drain(queue, topic)), ['once']);
        },
        'dedup',
      ),
      queueCase('publishing-an-id-again-from-its-own-handler-is-a-new-message', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const seen: unknown[] = [];
        await bench.consume(queue, topic, async ({ message, attempt }) => {
          seen.push([message.id, message.body, attempt]);
          if (message.body === 'first') await queue.publish(topic, 'again', { id: message.id });
        });

        await queue.publish(topic, 'first', { id: 'same' });
        await bench.time.eventually('both have come', () => seen.length === 2);
        await bench.time.settle();

        assert.deepEqual(seen, [
          ['same', 'first', 1],
          ['same', 'again', 1],
        ]);
      }),
      queueCase('a-batch-of-one-id-is-as-many-messages', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);

        await bench.time.until(
          queue.publishBatch(
            topic,
            many(3, (n) => ({ body: n, id: 'same' })),
          ),
        );

        assert.deepEqual(sorted(bodies(await bench.drain(queue, topic)).map(String)), ['0', '1', '2']);
      }),
    ],
  ),
  ...promise('3.1', '`publishBatch` keeps order and tells per entry what failed; one bad entry fails alone.', [
    queueCase('a-batch-keeps-its-order', async (bench) => {
      const topic = bench.topic({ ordering: 'key' });
      const queue = await bench.queue([topic]);

      const results = await bench.time.until(
        queue.publishBatch(
          topic,
          many(100, (n) => ({ body: n, key: 'k' })),
        ),
      );

      assert.ok(results.every(({ status }) => status === 'published'));
      assert.deepEqual(
        bodies(await bench.drain(queue, topic)),
        many(100, (n) => n),
      );
    }),
    queueCase('a-batch-tells-which-entry-failed-and-stores-the-others', async (bench) => {
      const topic = bench.topic();
      const queue = await bench.queue([topic]);

      const results = await bench.time.until(
        queue.publishBatch(topic, [
          { body: 'one' },
          { body: 10n },
          { body: 'three', delayMs: Number.NaN },
          { body: 'four', delayMs: 100 },
        ]),
      );

      assert.deepEqual(
        results.map((result) => (result.status === 'failed' ? result.error.code : result.status)),
        ['published', 'invalid', 'invalid', 'published'],
      );
      const { seen } = await bench.consume(queue, topic);
      await bench.time.eventually('both have come', () => seen.length === 2);
      assert.deepEqual(bodies(seen), ['one', 'four']);
    }),
    queueCase('what-is-no-batch-at-all-is-refused', async (bench) => {
      const topic = bench.topic();
      const queue = await bench.queue([topic]);

      await bench.rejects('invalid', queue.publishBatch(topic, 'no batch' as never));
      const results = await bench.time.until(queue.publishBatch(topic, [null as never, {} as never]));

      assert.deepEqual(
        results.map((result) => result.status === 'failed' && result.error.code),
        ['invalid', 'invalid'],
      );
    }),
  ]),
  ...promise(
    '4.1',
    'Publishes that are called at the same time leave together: at once when nothing is under way, gathered while something is. One bad message among them fails alone.',
    [
      queueCase('what-is-published-while-a-send-is-under-way-is-gathered', async (bench) => {
        const topic = bench.topic();
        const batches: number[] = [];
        const queue = await bench.queue([topic], {
          interference: {
            send: async (next, batch) => {
              batches.push(batch.length);
              await bench.time.settle();
              return next();
            },
          },
        });

        const first = queue.publish(topic, 0);
        await Promise.resolve();
        const rest = many(50, (n) => queue.publish(topic, n + 1));
        await bench.time.until(Promise.all([first, ...rest]));

        const calls = Math.max(
          3,
          Math.ceil(51 / bench.capabilities.limits.batch) + bench.capabilities.limits.concurrentSends,
        );
        assert.ok(batches.length <= calls, `${batches.length} calls for 51 messages`);
        assert.equal(
          batches.reduce((sum, size) => sum + size, 0),
          51,
        );
      }),
      queueCase('fifty-concurrent-publishers-lose-and-mix-nothing', async (bench) => {
        const topics = many(5, () => bench.topic());
        const queue = await bench.queue(topics);

        await bench.time.until(
          Promise.all(
            many(50, async (publisher) => {
              for (let n = 0; n < 10; n++) {
                const topic = topics[publisher % 5] as (typeof topics)[number];
                await queue.publish(topic, { publisher, n }, { id: `${publisher}.${n}` });
              }
            }),
          ),
        );

        for (const [index, topic] of topics.entries()) {
          const seen = await bench.drain(queue, topic);
          assert.equal(new Set(ids(seen)).size, 100);
          for (const { message } of seen) {
            const { publisher, n } = message.body as { publisher: number; n: number };
            assert.deepEqual([message.id, publisher % 5], [`${publisher}.${n}`, index]);
          }
        }
      }),
      queueCase('one-message-that-the-backend-refuses-fails-alone', async (bench) => {
        const topic = bench.topic({ groups: { default: { patterns: ['good'] } } });
        const queue = await bench.queue([topic]);

        const outcomes = await bench.time.until(
          Promise.allSettled(many(10, (n) => queue.publish(topic, n, { routingKey: n === 4 ? 'bad' : 'good' }))),
        );

        assert.deepEqual(
          outcomes.map(({ status }) => status === 'fulfilled'),
          many(10, (n) => n !== 4),
        );
        assert.equal((await bench.drain(queue, topic)).length, 9);
      }),
    ],
  ),
  ...promise(
    '5.1',
    "A body is validated against its topic's schema before anything is sent, and parsed again on receipt: a handler sees the schema's output, and messages outlive the code that wrote them.",
    [
      queueCase('a-body-that-does-not-fit-is-refused-and-nothing-is-sent', async (bench) => {
        const topic = defineTopic(bench.name('topic'), { schema: z.object({ name: z.string() }) });
        let sends = 0;
        const queue = await bench.queue([topic], {
          interference: {
            send: (next) => {
              sends++;
              return next();
            },
          },
        });

        await bench.rejects('invalid', queue.publish(topic, { name: 7 } as never));

        assert.equal(sends, 0);
      }),
      queueCase('a-handler-sees-the-output-of-the-schema', async (bench) => {
        const topic = defineTopic(bench.name('topic'), {
          schema: z.object({ at: z.coerce.date(), colour: z.string().default('red') }),
        });
        const queue = await bench.queue([topic]);
        const seen: unknown[] = [];
        await bench.time.until(queue.consume(topic, ({ message }) => seen.push(message.body)));

        await queue.publish(topic, { at: '2026-01-02T00:00:00.000Z' });
        await bench.time.eventually('it has come', () => seen.length === 1);

        assert.deepEqual(seen, [{ at: new Date('2026-01-02T00:00:00.000Z'), colour: 'red' }]);
      }),
      queueCase('an-old-message-is-read-by-the-schema-of-today', async (bench) => {
        const name = bench.name('topic');
        const yesterday = defineTopic(name, { schema: z.object({ who: z.string() }) });
        const today = defineTopic(name, { schema: z.object({ who: z.string(), times: z.number().default(1) }) });
        const before = await bench.queue([yesterday]);
        await before.publish(yesterday, { who: 'Ada' });
        await bench.time.until(before.close());

        const after = await bench.queue([today]);
        const seen: unknown[] = [];
        await bench.time.until(after.consume(today, ({ message }) => seen.push(message.body)));
        await bench.time.eventually('it has come', () => seen.length === 1);

        assert.deepEqual(seen, [{ who: 'Ada', times: 1 }]);
      }),
      queueCase('what-would-not-survive-json-is-refused-at-the-publisher', async (bench) => {
        const topic = bench.topic();
        const dated = defineTopic(bench.name('topic'), { schema: z.object({ at: z.date() }) });
        const queue = await bench.queue([topic, dated]);
        const cycle: Record<string, unknown> = {};
        cycle.self = cycle;

        for (const body of [undefined, 10n, cycle, () => {}, Symbol('x')])
          await bench.rejects('invalid', queue.publish(topic, body));
        await bench.rejects('invalid', queue.publish(dated, { at: new Date(0) }));
        await queue.publish(topic, { kept: 1, left: undefined, notANumber: Number.NaN });

        assert.deepEqual(bodies(await bench.drain(queue, topic)), [{ kept: 1, notANumber: null }]);
      }),
    ],
  ),
];
