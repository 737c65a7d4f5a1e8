import assert from 'node:assert/strict';
import { many, sorted } from '../bench.js';
import { type Case, driverCase, promise, queueCase } from '../case.js';
import { matches, Refusal } from '../contract.js';
import { deadOf, idsOf } from '../driver-bench.js';
import { ids } from '../queue-bench.js';

const patterns = ['#', '*', 'a', 'a.*', '*.b', 'a.#', '#.b', '*.*', 'a.#.b', '#.*', '', 'a.*.c', '#.#', 'a*', 'ä.*'];
const keys = [null, '', 'a', 'b', 'a.', '.', '..', 'a.b', 'a.b.c', 'a..b', '.b', 'a.x.b', 'a.x.c', 'A.b', 'a*', 'ä.ö'];

export const routing: readonly Case[] = [
  ...promise(
    '6.1',
    "A message that no group accepts is refused with `unroutable`, unless its topic says `unmatched: 'discard'`: then `groups: 0` is answered and nothing is stored.",
    [
      queueCase('a-message-for-nobody-is-unroutable', async (bench) => {
        const topic = bench.topic({ groups: { default: { patterns: ['eu.#'] } } });
        const queue = await bench.queue([topic]);

        await bench.rejects('unroutable', queue.publish(topic, 1, { routingKey: 'us.east' }));
        await bench.rejects('unroutable', queue.publish(topic, 1));

        assert.deepEqual(await bench.drain(queue, topic), []);
      }),
      queueCase('a-topic-may-discard-what-nobody-wants', async (bench) => {
        const topic = bench.topic({ groups: { default: { patterns: ['eu.#'] } }, unmatched: 'discard' });
        const queue = await bench.queue([topic]);

        const { groups, duplicate } = await queue.publish(topic, 1, { routingKey: 'us.east' });

        assert.ok(groups === 0 || groups === null);
        assert.equal(duplicate, false);
        assert.deepEqual(await bench.drain(queue, topic), []);
      }),
      driverCase('a-send-to-what-is-not-declared-is-not-found', async (bench) => {
        const topic = await bench.declare();
        const nowhere = bench.topology();

        const [result] = await bench.trySend(bench.entry(nowhere, 'lost'));
        const [toGroup] = await bench.trySend(
          bench.entry(topic, 'lost', { target: { kind: 'group', group: 'nobody' } }),
        );

        for (const each of [result, toGroup]) {
          assert.equal(each?.status, 'failed');
          const error = each?.status === 'failed' ? each.error : null;
          const code = error instanceof Refusal ? error.code : bench.driver.classify(error).code;
          assert.equal(code, 'not-found');
        }
      }),
      driverCase('a-send-to-one-group-reaches-it-alone-whatever-its-patterns', async (bench) => {
        const groups = [
          { name: 'one', patterns: ['never'] },
          { name: 'two', patterns: ['#'] },
        ];
        const topic = await bench.declare({ groups });

        await bench.send(bench.entry(topic, 'for one', { target: { kind: 'group', group: 'one' } }));

        assert.deepEqual(await bench.drain(await bench.subscribe(topic, { group: 'one' })), ['for one']);
        assert.deepEqual(await bench.drain(await bench.subscribe(topic, { group: 'two' })), []);
      }),
    ],
  ),
  ...promise('6.2', 'Two patterns of one group that both match are one copy.', [
    driverCase('a-message-that-two-patterns-accept-comes-once', async (bench) => {
      const topic = await bench.declare({ groups: [{ name: 'default', patterns: ['eu.#', '#', '*.berlin'] }] });

      await bench.send(bench.entry(topic, 'once', { routingKey: 'eu.berlin' }));

      assert.deepEqual(await bench.drain(await bench.subscribe(topic)), ['once']);
    }),
  ]),
  ...promise(
    '6.3',
    'In a pattern `*` is one word (also an empty one) and `#` any number of words; an absent routing key has no words.',
    [
      driverCase('a-star-is-one-word-and-a-hash-any-number', async (bench) => {
        const all = [null, '', 'a', 'b', 'a.', '.b', 'a.b', 'a..b', 'a.x.b', 'a.b.c'];
        // Written out: a backend may use our own matcher, and both would be wrong together.
        const accepted: readonly (readonly [pattern: string, keys: readonly (string | null)[]])[] = [
          ['*', ['a', 'b']],
          ['a.*', ['a.', 'a.b']],
          ['*.b', ['.b', 'a.b']],
          ['a.*.b', ['a..b', 'a.x.b']],
          ['a.#', ['a', 'a.', 'a.b', 'a..b', 'a.x.b', 'a.b.c']],
          ['#.b', ['b', '.b', 'a.b', 'a..b', 'a.x.b']],
          ['#', all],
        ];
        const topic = await bench.declare({
          groups: accepted.map(([pattern], n) => ({ name: `g${n}`, patterns: [pattern] })),
        });

        await bench.send(...all.map((routingKey) => bench.entry(topic, `key ${routingKey}`, { routingKey })));

        for (const [n, [pattern, keys]] of accepted.entries())
          assert.deepEqual(
            sorted(await bench.drain(await bench.subscribe(topic, { group: `g${n}` }))),
            sorted(keys.map((key) => `key ${key}`)),
            `pattern ${pattern}`,
          );
      }),
      driverCase('the-backend-matches-patterns-as-the-contract-does', async (bench) => {
        const groups = patterns.map((pattern, n) => ({ name: `g${n}`, patterns: [pattern] }));
        const topic = await bench.declare({ groups });
        await bench.send(
          ...keys.map((routingKey, n) => bench.entry(topic, `key ${n}`, { routingKey, unmatched: 'discard' })),
        );

        for (const [index, pattern] of patterns.entries()) {
          const seen = await bench.drain(await bench.subscribe(topic, { group: `g${index}` }));
          const expected = keys.flatMap((key, n) => (matches(pattern, key) ? [`key ${n}`] : []));
          assert.deepEqual(sorted(seen), sorted(expected), `pattern ${JSON.stringify(pattern)}`);
        }
      }),
    ],
  ),
  ...promise(
    '6.4',
    'Groups are independent: each gets every message that its patterns accept. A group that nobody declared is `not-found`, and one that is added gets what is published after its declaration resolved.',
    [
      queueCase('each-group-gets-everything', async (bench) => {
        const topic = bench.topic({ groups: { one: {}, two: {} } });
        const queue = await bench.queue([topic]);

        await bench.time.until(
          queue.publishBatch(
            topic,
            many(50, (n) => ({ body: n, id: `m${n}` })),
          ),
        );

        for (const group of ['one', 'two'])
          assert.deepEqual(sorted(ids(await bench.drain(queue, topic, group))), sorted(many(50, (n) => `m${n}`)));
      }),
      queueCase('an-undeclared-group-is-not-found', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);

        await bench.rejects(
          'not-found',
          queue.consume(topic, () => {}, { group: 'nobody' }),
        );
        const reading = bench.subscribe(queue, topic, { group: 'nobody' });
        await bench.rejects('not-found', reading.next());
        await bench.rejects('not-found', queue.admin.depth(topic, 'nobody'));
        await bench.rejects('not-found', queue.admin.deadLetters(topic, 'nobody').count());
      }),
      queueCase('a-group-that-is-added-gets-what-is-published-from-then-on', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await queue.publish(topic, 1, { id: 'before', routingKey: 'eu' });

        await queue.admin.addGroup(topic, 'builder-7', { patterns: ['eu'] });
        await queue.admin.addGroup(topic, 'builder-7', { patterns: ['eu'] });
        await queue.publish(topic, 2, { id: 'after', routingKey: 'eu' });
        await queue.publish(topic, 3, { id: 'other', routingKey: 'us' });

        assert.deepEqual(ids(await bench.drain(queue, topic, 'builder-7')), ['after']);
        await bench.rejects('topology-mismatch', queue.admin.addGroup(topic, 'builder-7', { patterns: ['us'] }));
      }),
      queueCase('a-group-that-is-added-under-load-misses-nothing-after-it-was-added', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const publishing: Promise<{ id: string }>[] = [];
        const publish = (n: number): void => {
          publishing.push(queue.publish(topic, n, { id: `m${n}` }));
        };

        many(50, publish);
        await bench.time.until(queue.admin.addGroup(topic, 'late'));
        many(50, (n) => publish(50 + n));
        await bench.time.until(Promise.all(publishing));

        const late = new Set(ids(await bench.drain(queue, topic, 'late')));
        assert.deepEqual(
          many(50, (n) => late.has(`m${50 + n}`)),
          many(50, () => true),
        );
      }),
      queueCase('a-group-that-is-removed-takes-nothing-more', async (bench) => {
        const topic = bench.topic({ groups: { default: {}, leaving: {} } });
        const queue = await bench.queue([topic]);
        await queue.publish(topic, 1);

        await queue.admin.removeGroup(topic, 'leaving');
        await queue.admin.removeGroup(topic, 'leaving');
        const { groups } = await queue.publish(topic, 2);

        assert.ok(groups === 1 || groups === null);
        await bench.rejects('not-found', queue.admin.depth(topic, 'leaving'));
        assert.equal((await bench.drain(queue, topic)).length, 2);
      }),
      driverCase('removing-a-group-leaves-alone-what-has-its-name-in-another-topic', async (bench) => {
        const groups = [{ name: 'same', patterns: ['#'] }];
        const [one, other] = [await bench.declare({ groups }), await bench.declare({ groups })];
        await bench.send(bench.entry(other, 'waits'), bench.entry(other, 'dead', { target: deadOf('same') }));

        await bench.time.until(bench.driver.admin.removeGroup(one.name, 'same'));

        const box = { kind: 'dead', topic: other.name, group: 'same' } as const;
        const { letters } = await bench.time.until(bench.driver.admin.letters(box, { limit: 10, cursor: null }));
        assert.deepEqual(idsOf(letters), ['dead']);
        assert.deepEqual(await bench.drain(await bench.subscribe(other, { group: 'same' })), ['waits']);
      }),
    ],
  ),
];
