import assert from 'node:assert/strict';
import { many, sorted } from '../bench.js';
import { type Case, driverCase, promise, queueCase } from '../case.js';
import { deadLetterNoticeSchema, defineTopic, freshCounts, type Queue } from '../contract.js';
import { ack, deadOf, death, eventful, idsOf, plain, whole } from '../driver-bench.js';
import { type AnyTopic, ids, type QueueBench } from '../queue-bench.js';

export const deadLetters: readonly Case[] = [
  ...promise(
    '21.1',
    'Dead letters are kept per group with reason, error (name, message, bounded stack), attempt, redeliveries, first and last failure time, and origin; the message is as it was published.',
    [
      queueCase('a-dead-letter-says-what-and-why-and-keeps-the-message', async (bench) => {
        const topic = bench.topic({ ordering: 'key', maxAttempts: 2, backoff: { initialMs: 100, jitter: 0 } });
        const queue = await bench.queue([topic]);
        const startedAt = bench.time.now();
        const { consumer, seen } = await bench.consume(queue, topic, async (delivery) => {
          if (delivery.postpones === 0) return delivery.postpone(10);
          throw new TypeError(`failure ${delivery.attempt}`);
        });

        await queue.publish(topic, { big: 'body' }, { id: 'm', key: 'k', routingKey: 'r.s', headers: { h: 'v' } });
        await bench.time.eventually('it is dead', async () => (await letters(queue, topic)).length === 1);

        const [letter] = await letters(queue, topic);
        const { death: why } = letter ?? {};
        assert.deepEqual(
          { ...letter, headers: { ...letter?.headers }, death: null, buriedAt: 0, publishedAt: 0 },
          {
            id: 'm',
            topic: topic.name,
            group: 'default',
            key: 'k',
            routingKey: 'r.s',
            headers: { h: 'v' },
            bodyText: '{"big":"body"}',
            publishedAt: 0,
            buriedAt: 0,
            death: null,
          },
        );
        assert.deepEqual(
          [
            why?.cause,
            why?.reason,
            why?.error?.name,
            why?.error?.message,
            why?.attempt,
            why?.postpones,
            why?.redeliveries,
          ],
          ['attempts-exhausted', 'failure 2', 'TypeError', 'failure 2', 2, 1, 0],
        );
        assert.match(why?.error?.stack ?? '', /TypeError: failure 2/);
        assert.equal(why?.origin, consumer.consumer);
        assert.ok((why?.firstFailedAt ?? 0) >= startedAt - 1);
        assert.ok((why?.lastFailedAt ?? 0) - (why?.firstFailedAt ?? 0) >= 100);
        assert.ok(Math.abs((letter?.publishedAt ?? 0) - startedAt) < 60_000);
        assert.equal(seen.length, 3);
        await bench.isEmpty(queue, topic);
      }),
      queueCase('the-first-failure-of-many-is-the-first-failure-time', async (bench) => {
        const topic = bench.topic({ maxAttempts: 3, backoff: { initialMs: 1_000, factor: 1, jitter: 0 } });
        const queue = await bench.queue([topic]);
        await bench.consume(queue, topic, () => Promise.reject(new Error('no')));

        await queue.publish(topic, null);
        await bench.time.eventually('it is dead', async () => (await letters(queue, topic)).length === 1);

        const [letter] = await letters(queue, topic);
        const { firstFailedAt = 0, lastFailedAt = 0 } = letter?.death ?? {};
        assert.ok(lastFailedAt - firstFailedAt >= 2_000, `${lastFailedAt - firstFailedAt} ms lie between them`);
      }),
      driverCase(
        'a-letter-says-when-it-was-put-there-by-the-clock-of-the-backend',
        async (bench) => {
          const topic = await bench.declare();
          const { backendNow } = bench.harness;
          const before = (await backendNow?.()) ?? Number.NaN;

          await bench.send(bench.entry(topic, 'm', { target: deadOf() }));

          const after = (await backendNow?.()) ?? Number.NaN;
          const box = { kind: 'dead', topic: topic.name, group: 'default' } as const;
          const list = await bench.time.until(bench.driver.admin.letters(box, { limit: 10, cursor: null }));
          const buriedAt = list.letters[0]?.buriedAt ?? Number.NaN;
          assert.ok(buriedAt >= before - 1 && buriedAt <= after + 1, `${buriedAt} is not in ${before} to ${after}`);
        },
        'backendNow',
      ),
      driverCase('a-letter-is-kept-as-it-was-buried', async (bench) => {
        const topic = await bench.declare();
        const body = new Uint8Array([0, 1, 2, 253, 254, 255]);
        const sketch = { target: deadOf(), body, key: 'k', routingKey: 'r', headers: { h: 'v' } };

        await bench.send(bench.entry(topic, 'm', sketch));

        const {
          letters: kept,
          next,
          total,
        } = await bench.time.until(
          bench.driver.admin.letters(
            { kind: 'dead', topic: topic.name, group: 'default' },
            { limit: 10, cursor: null },
          ),
        );
        const [letter] = kept;
        assert.deepEqual([kept.length, next], [1, null]);
        assert.ok(total === 1 || total === null);
        assert.deepEqual(letter?.death, death);
        const { id, key, routingKey, headers } = letter?.message ?? {};
        assert.deepEqual([id, key, routingKey, { ...headers }], ['m', 'k', 'r', { h: 'v' }]);
        assert.deepEqual([...(letter?.message.body ?? [])], [...body]);
        await bench.nothing(await bench.subscribe(topic));
      }),
      queueCase('a-restart-of-all-clients-keeps-the-letters', async (bench) => {
        const topic = bench.topic();
        const before = await bench.queue([topic]);
        await buryAll(bench, before, topic, ['m']);
        await bench.time.until(before.close());

        assert.deepEqual(
          (await letters(await bench.queue([topic]), topic)).map(({ id }) => id),
          ['m'],
        );
      }),
    ],
  ),
  ...promise('21.2', 'Dead letters can be counted and listed any number of times without being changed or used up.', [
    queueCase('looking-at-letters-changes-nothing', async (bench) => {
      const topic = bench.topic();
      const queue = await bench.queue([topic]);
      await buryAll(
        bench,
        queue,
        topic,
        many(3, (n) => `m${n}`),
      );

      const first = await letters(queue, topic);
      const second = await letters(queue, topic);

      assert.equal(first.length, 3);
      assert.deepEqual(second, first);
      const count = await queue.admin.deadLetters(topic).count();
      assert.ok(count === 3 || count === null);
      const { dead } = await queue.admin.depth(topic);
      assert.ok(dead === 3 || dead === null);
    }),
    queueCase('letters-are-listed-page-by-page-oldest-first', async (bench) => {
      const topic = bench.topic();
      const queue = await bench.queue([topic]);
      const all = many(25, (n) => `m${n}`);
      for (const id of all) await buryAll(bench, queue, topic, [id]);

      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const page: Awaited<ReturnType<ReturnType<Queue['admin']['deadLetters']>['list']>> = await queue.admin
          .deadLetters(topic)
          .list({ limit: 10, cursor });
        assert.ok(page.letters.length <= 10);
        seen.push(...page.letters.map(({ id }) => id));
        cursor = page.next;
      } while (cursor !== null);

      assert.deepEqual(seen, all);
    }),
    queueCase('what-leaves-a-list-between-two-pages-shifts-nothing', async (bench) => {
      const topic = bench.topic();
      const queue = await bench.queue([topic]);
      for (let n = 0; n < 6; n++) await buryAll(bench, queue, topic, [`m${n}`]);
      const box = queue.admin.deadLetters(topic);

      const first = await box.list({ limit: 3 });
      await box.purge(['m0', 'm1']);
      const second = await box.list({ limit: 3, cursor: first.next });

      assert.deepEqual(
        [idsOfLetters(first.letters), idsOfLetters(second.letters)],
        [
          ['m0', 'm1', 'm2'],
          ['m3', 'm4', 'm5'],
        ],
      );
    }),
  ]),
  ...promise(
    '21.3',
    "Dead letters can be redriven, one, some or all: same id, counts start again, keyed ones at the end of their key's line.",
    [
      queueCase('one-some-or-all-are-redriven-with-fresh-counts', async (bench) => {
        const topic = bench.topic({ maxAttempts: 2, backoff: { initialMs: 5, jitter: 0 } });
        const queue = await bench.queue([topic]);
        const failing = await bench.consume(queue, topic, () => {
          throw new Error('always');
        });
        await bench.time.until(
          queue.publishBatch(
            topic,
            many(6, (n) => ({ body: n, id: `m${n}`, headers: { h: 'v' } })),
          ),
        );
        await bench.time.eventually('all are dead', async () => (await letters(queue, topic)).length === 6);
        await bench.time.until(failing.consumer.close());
        const box = queue.admin.deadLetters(topic);

        const counts = [await box.redrive(['m3']), await box.redrive(['m1', 'm4', 'unknown']), await box.redrive([])];
        const some = await bench.drain(queue, topic);
        const left = idsOfLetters((await box.list()).letters);
        const rest = [await box.redrive('all'), await box.redrive('all')];
        const others = await bench.drain(queue, topic);

        assert.deepEqual(
          [counts, rest],
          [
            [1, 2, 0],
            [3, 0],
          ],
        );
        assert.deepEqual(
          [sorted(ids(some)), sorted(left), sorted(ids(others))],
          [
            ['m1', 'm3', 'm4'],
            ['m0', 'm2', 'm5'],
            ['m0', 'm2', 'm5'],
          ],
        );
        for (const { attempt, postpones, redeliveries, message } of [...some, ...others])
          assert.deepEqual([attempt, postpones, redeliveries, message.headers.h], [1, 0, 0, 'v']);
        assert.deepEqual(await letters(queue, topic), []);
      }),
      queueCase('a-redriven-message-that-fails-again-is-dead-again-after-all-its-attempts', async (bench) => {
        const topic = bench.topic({ maxAttempts: 3, backoff: { initialMs: 5, jitter: 0 } });
        const queue = await bench.queue([topic]);
        const { seen } = await bench.consume(queue, topic, () => {
          throw new Error('always');
        });
        await queue.publish(topic, null, { id: 'm' });
        await bench.time.eventually('it is dead', async () => (await letters(queue, topic)).length === 1);
        const [before] = await letters(queue, topic);

        await bench.time.pass(1_000);
        await queue.admin.deadLetters(topic).redrive('all');
        await bench.time.eventually(
          'it is dead again',
          async () => seen.length === 6 && (await letters(queue, topic)).length === 1,
        );

        const [after] = await letters(queue, topic);
        assert.deepEqual(
          seen.map(({ attempt }) => attempt),
          [1, 2, 3, 1, 2, 3],
        );
        assert.ok(
          (after?.death?.firstFailedAt ?? 0) > (before?.death?.lastFailedAt ?? 0),
          'the first failure is of the old life',
        );
      }),
      queueCase('a-redriven-keyed-message-comes-at-the-end-of-its-line', async (bench) => {
        const topic = bench.topic({ ordering: 'key' });
        const queue = await bench.queue([topic]);
        await queue.publish(topic, null, { id: 'dead', key: 'k' });
        const reading = bench.subscribe(queue, topic);
        await bench.time.until((await reading.next()).reject('poison'));
        await bench.time.until(reading.subscription.close());
        await bench.time.until(
          queue.publishBatch(
            topic,
            many(3, (n) => ({ body: n, id: `m${n}`, key: 'k' })),
          ),
        );

        await queue.admin.deadLetters(topic).redrive('all');

        assert.deepEqual(ids(await bench.drain(queue, topic)), ['m0', 'm1', 'm2', 'dead']);
      }),
      driverCase('a-redriven-message-comes-back-whole', async (bench) => {
        const topic = await bench.declare({ ordering: 'key' });
        await bench.send(bench.entry(topic, 'whole', { ...eventful, target: deadOf() }));

        const box = { kind: 'dead', topic: topic.name, group: 'default' } as const;
        assert.equal(await bench.time.until(bench.driver.admin.redrive(box, ['whole'])), 1);

        const reader = await bench.subscribe(topic);
        const { message, counts, receipt } = await bench.receiveOne(reader);
        assert.deepEqual([plain(message), counts], [plain(whole(topic.name)), freshCounts]);
        await bench.settleDone(reader, ack(receipt));
      }),
      driverCase('letters-are-named-by-the-bytes-of-their-ids', async (bench) => {
        const topic = await bench.declare();
        const ids = ['a', 'A', 'a ', 'ä', 'a\u0308'];
        await bench.send(...ids.map((id) => bench.entry(topic, id, { target: deadOf() })));
        const box = { kind: 'dead', topic: topic.name, group: 'default' } as const;

        const redriven = await bench.time.until(bench.driver.admin.redrive(box, ['A']));
        const purged = await bench.time.until(bench.driver.admin.purge(box, ['a ']));

        const left = await bench.time.until(bench.driver.admin.letters(box, { limit: 10, cursor: null }));
        assert.deepEqual([redriven, purged, sorted(idsOf(left.letters))], [1, 1, sorted(['a', 'ä', 'a\u0308'])]);
        assert.deepEqual(await bench.drain(await bench.subscribe(topic)), ['A']);
      }),
      queueCase('two-letters-with-one-id-are-both-redriven', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await buryAll(bench, queue, topic, ['same', 'same']);

        assert.equal(await queue.admin.deadLetters(topic).redrive(['same']), 2);
        assert.equal((await bench.drain(queue, topic)).length, 2);
      }),
    ],
  ),
  ...promise('21.4', 'Dead letters can be purged, and expire only if their topic says so.', [
    queueCase('purging-deletes-what-is-named-and-no-more', async (bench) => {
      const topic = bench.topic();
      const queue = await bench.queue([topic]);
      await buryAll(
        bench,
        queue,
        topic,
        many(4, (n) => `m${n}`),
      );
      const box = queue.admin.deadLetters(topic);

      const one = await box.purge(['m2', 'unknown']);
      const left = idsOfLetters((await box.list()).letters);
      const rest = await box.purge('all');

      assert.deepEqual([one, sorted(left), rest, (await box.list()).letters.length], [1, ['m0', 'm1', 'm3'], 3, 0]);
      assert.deepEqual(await bench.drain(queue, topic), []);
    }),
    queueCase('letters-expire-when-their-topic-says-so', async (bench) => {
      const expireAfterMs = 2 * bench.time.ample(750);
      const topic = bench.topic({ deadLetters: { expireAfterMs } });
      const queue = await bench.queue([topic]);
      await buryAll(bench, queue, topic, ['m']);

      if (bench.time.isVirtual) await bench.time.pass(expireAfterMs - 1);
      const before = await letters(queue, topic);
      await bench.time.pass(bench.time.isVirtual ? 1 : expireAfterMs);
      await bench.time.eventually('it has expired', async () => (await letters(queue, topic)).length === 0);

      assert.equal(before.length, 1);
      assert.deepEqual(await bench.drain(queue, topic), []);
    }),
    queueCase(
      'letters-do-not-expire-by-themselves',
      async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await buryAll(bench, queue, topic, ['m']);

        await bench.time.pass(2 * 24 * 60 * 60 * 1_000);

        assert.equal((await letters(queue, topic)).length, 1);
      },
      'virtual time',
    ),
  ]),
  ...promise('21.5', 'A dead letter of one group takes nothing from another.', [
    queueCase('burying-redriving-and-purging-in-one-group-is-not-seen-by-another', async (bench) => {
      const topic = bench.topic({ groups: { failing: {}, other: {} } });
      const queue = await bench.queue([topic]);
      await bench.time.until(
        queue.publishBatch(
          topic,
          many(4, (n) => ({ body: n, id: `m${n}` })),
        ),
      );
      const failing = await bench.consume(queue, topic, (delivery) => delivery.reject('no'), { group: 'failing' });
      await bench.time.eventually('all are dead', async () => (await letters(queue, topic, 'failing')).length === 4);
      await bench.time.until(failing.consumer.close());

      await queue.admin.deadLetters(topic, 'failing').redrive(['m0']);
      await queue.admin.deadLetters(topic, 'failing').purge(['m1']);

      assert.deepEqual(await letters(queue, topic, 'other'), []);
      const others = await bench.drain(queue, topic, 'other');
      assert.deepEqual(sorted(others.map(({ message, attempt }) => `${message.id} ${attempt}`)), [
        'm0 1',
        'm1 1',
        'm2 1',
        'm3 1',
      ]);
      assert.deepEqual(ids(await bench.drain(queue, topic, 'failing')), ['m0']);
    }),
    driverCase('letters-with-one-id-in-two-groups-are-two-letters', async (bench) => {
      const topic = await bench.declare({ groups: ['one', 'two'].map((name) => ({ name, patterns: ['#'] })) });
      for (const id of ['m', 'n'])
        await bench.send(...['one', 'two'].map((group) => bench.entry(topic, id, { target: deadOf(group) })));
      const boxOf = (group: string) => ({ kind: 'dead', topic: topic.name, group }) as const;
      const { admin } = bench.driver;

      const counts = [
        await bench.time.until(admin.redrive(boxOf('one'), ['m'])),
        await bench.time.until(admin.purge(boxOf('one'), ['n'])),
      ];

      const left = await bench.time.until(admin.letters(boxOf('two'), { limit: 10, cursor: null }));
      assert.deepEqual(
        [counts, sorted(idsOf(left.letters))],
        [
          [1, 1],
          ['m', 'n'],
        ],
      );
      assert.deepEqual(await bench.drain(await bench.subscribe(topic, { group: 'two' })), []);
      assert.deepEqual(await bench.drain(await bench.subscribe(topic, { group: 'one' })), ['m']);
    }),
    driverCase('the-dead-letters-of-a-group-that-is-removed-are-removed', async (bench) => {
      const groups = ['one', 'two'].map((name) => ({ name, patterns: ['#'] }));
      const topic = await bench.declare({ groups });
      for (const { name } of groups) await bench.send(bench.entry(topic, `of ${name}`, { target: deadOf(name) }));

      await bench.time.until(bench.driver.admin.removeGroup(topic.name, 'one'));
      await bench.time.until(bench.driver.admin.addGroup(topic.name, { name: 'one', patterns: ['#'] }));

      const lists = await Promise.all(
        groups.map(({ name }) =>
          bench.driver.admin.letters({ kind: 'dead', topic: topic.name, group: name }, { limit: 10, cursor: null }),
        ),
      );
      assert.deepEqual(
        lists.map((list) => idsOf(list.letters)),
        [[], ['of two']],
      );
    }),
  ]),
  ...promise('21.6', 'Giant error texts are cut, the stack at 4 KiB, and never an obstacle.', [
    queueCase('a-giant-error-is-cut-and-the-letter-is-written', async (bench) => {
      const topic = bench.topic();
      const queue = await bench.queue([topic]);
      const giant = '🚦 giant '.repeat(200_000);
      const error = new Error(giant);
      error.name = giant;
      error.stack = giant;
      const reasons: unknown[] = [error, giant, '\ud800 broken', null, undefined, { not: 'a text' }, 7];
      await bench.consume(queue, topic, (delivery) => delivery.reject(reasons[delivery.message.body as number]));

      await bench.time.until(
        queue.publishBatch(
          topic,
          reasons.map((_, n) => ({ body: n })),
        ),
      );
      await bench.time.eventually('all are dead', async () => (await letters(queue, topic)).length === reasons.length);

      for (const { death: why } of await letters(queue, topic)) {
        assert.ok(Buffer.byteLength(why?.reason ?? '') <= 1_024 && (why?.reason ?? '').length > 0);
        assert.ok(Buffer.byteLength(why?.error?.message ?? '') <= 1_024);
        assert.ok(Buffer.byteLength(why?.error?.name ?? '') <= 1_024);
        assert.ok(Buffer.byteLength(why?.error?.stack ?? '') <= 4_096);
      }
      await bench.isEmpty(queue, topic);
    }),
  ]),
  ...promise('21.7', 'A topic may name another topic that gets a notice of each dead letter in the same settlement.', [
    queueCase('each-dead-letter-has-its-notice', async (bench) => {
      const notices = defineTopic(bench.name('notices'), { schema: deadLetterNoticeSchema });
      const topic = bench.topic({ deadLetters: { notice: notices } });
      const queue = await bench.queue([topic, notices]);
      const seen: unknown[] = [];
      await bench.time.until(
        queue.consume(notices, ({ message: { body } }) =>
          seen.push([body.topic, body.group, body.id, body.key, body.cause, body.reason, body.attempt]),
        ),
      );

      await buryAll(bench, queue, topic, ['m']);
      await bench.time.eventually('the notice has come', () => seen.length === 1);
      await bench.time.settle();

      assert.deepEqual(seen, [[topic.name, 'default', 'm', null, 'rejected', 'poison', 1]]);
    }),
    queueCase('a-notice-that-cannot-be-sent-is-no-obstacle', async (bench) => {
      const notices = defineTopic(bench.name('notices'), {
        schema: deadLetterNoticeSchema,
        groups: { nobody: { patterns: ['never'] } },
      });
      const topic = bench.topic({ deadLetters: { notice: notices } });
      const queue = await bench.queue([topic, notices]);

      await buryAll(bench, queue, topic, ['m']);

      assert.deepEqual(
        (await letters(queue, topic)).map(({ id }) => id),
        ['m'],
      );
    }),
  ]),
  ...promise(
    '21.8',
    'Redriving loses nothing and never leaves a letter in both places; a letter whose destination does not exist stays.',
    [
      driverCase('redriving-moves-a-letter', async (bench) => {
        const topic = await bench.declare();
        await bench.send(...many(50, (n) => bench.entry(topic, `m${n}`, { target: deadOf() })));
        const box = { kind: 'dead', topic: topic.name, group: 'default' } as const;

        const moved = await bench.time.until(
          Promise.all([bench.driver.admin.redrive(box, 'all'), bench.driver.admin.redrive(box, 'all')]),
        );

        const reader = await bench.subscribe(topic);
        const received = await bench.receive(reader, 50);
        assert.equal(moved[0] + moved[1], 50);
        assert.deepEqual(sorted(idsOf(received)), sorted(many(50, (n) => `m${n}`)));
        assert.ok(received.every(({ counts, redeliveries }) => counts.attempt === 1 && redeliveries === 0));
        await bench.settleDone(reader, ...received.map(({ receipt }) => ack(receipt)));
        await bench.nothing(reader);
        const left = await bench.time.until(bench.driver.admin.letters(box, { limit: 10, cursor: null }));
        assert.deepEqual(left.letters, []);
      }),
    ],
  ),
];

async function letters(queue: Queue, topic: AnyTopic, group = 'default') {
  return (await queue.admin.deadLetters(topic, group).list({ limit: 1_000 })).letters;
}

function idsOfLetters(of: readonly { readonly id: string }[]): readonly string[] {
  return of.map(({ id }) => id);
}

/** Publishes these and rejects them. */
async function buryAll(bench: QueueBench, queue: Queue, topic: AnyTopic, messages: readonly string[]): Promise<void> {
  const reading = bench.subscribe(queue, topic);
  for (const id of messages) {
    await queue.publish(topic, { secret: 'body' }, { id });
    const delivery = await reading.next();
    await bench.time.until(delivery.reject('poison'));
  }
  await bench.time.until(reading.subscription.close());
}
