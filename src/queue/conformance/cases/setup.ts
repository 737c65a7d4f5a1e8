import assert from 'node:assert/strict';
import { z } from 'zod';
import { many, sorted } from '../bench.js';
import { type Case, driverCase, promise, queueCase } from '../case.js';
import { defineTopic, Refusal } from '../contract.js';
import type { DriverBench, DriverTopic } from '../driver-bench.js';
import { ids } from '../queue-bench.js';

export const setup: readonly Case[] = [
  ...promise(
    '26.1',
    '`setup()` declares everything a topology needs, may be run by many at once and again, and writes only differences.',
    [
      queueCase('ten-queues-that-set-up-at-once-all-succeed', async (bench) => {
        const topics = [bench.topic({ groups: { one: {}, two: {} } }), bench.topic({ ordering: 'key' })] as const;

        const queues = await Promise.all(many(10, () => bench.queue(topics)));

        await bench.time.until(Promise.all(queues.map((queue, n) => queue.publish(topics[0], n))));
        for (const group of ['one', 'two'])
          assert.equal((await bench.drain(queues[0] as (typeof queues)[number], topics[0], group)).length, 10);
      }),
      queueCase('a-second-setup-writes-nothing-and-loses-nothing', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        await queue.publish(topic, null, { id: 'm' });

        const { created, changed } = await bench.time.until(queue.setup());

        assert.deepEqual([created, changed], [[], []]);
        assert.deepEqual(ids(await bench.drain(queue, topic)), ['m']);
      }),
      driverCase('what-was-declared-can-be-listed', async (bench) => {
        const topic = await bench.declare({
          ordering: 'key',
          lanes: 5,
          groups: [
            { name: 'b', patterns: ['x.#', 'y'] },
            { name: 'a', patterns: ['#'] },
          ],
        });

        const topics = await bench.time.until(bench.driver.admin.topics());

        const found = topics.find(({ name }) => name === topic.name);
        const groups = found?.groups.map(({ name, patterns }) => `${name} ${sorted(patterns)}`);
        assert.deepEqual([found?.ordering, found?.lanes, groups], ['key', 5, ['a #', 'b x.#,y']]);
        assert.deepEqual(
          topics.map(({ name }) => name),
          sorted(topics.map(({ name }) => name)),
        );
      }),
      driverCase('a-declaration-names-what-it-created-and-nothing-that-was-there', async (bench) => {
        const [old, fresh] = [await bench.declare(), bench.topology()];

        const report = await declare(bench, [old, fresh]);

        assert.ok(report.created.length > 0);
        assert.ok(report.created.every((object) => !object.includes(old.name)));
        assert.ok(report.created.some((object) => object.includes(fresh.name)));
        assert.deepEqual(report.changed, []);
      }),
      driverCase('groups-that-were-added-by-hand-are-left-alone', async (bench) => {
        const topic = await bench.declare();
        await bench.time.until(bench.driver.admin.addGroup(topic.name, { name: 'extra', patterns: ['#'] }));

        await declare(bench, [topic]);
        await bench.send(bench.entry(topic, 'm'));

        assert.deepEqual(await bench.drain(await bench.subscribe(topic, { group: 'extra' })), ['m']);
      }),
    ],
  ),
  ...promise(
    '26.2',
    "`setup({ mode: 'check' })` changes nothing, and rejects with `not-found` naming what is missing.",
    [
      queueCase('a-check-of-what-is-missing-names-it-and-declares-nothing', async (bench) => {
        const topic = bench.topic();

        const error = await bench.rejects('not-found', () => bench.queue([topic], { setup: 'check' }));

        assert.ok(error.message.includes(topic.name));
        const other = await bench.queue([]);
        assert.ok((await other.admin.topics()).every(({ name }) => name !== topic.name));
      }),
      queueCase('a-check-of-what-is-there-passes', async (bench) => {
        const topic = bench.topic();
        await bench.queue([topic]);

        const checked = await bench.queue([topic], { setup: 'check' });

        assert.deepEqual(await bench.time.until(checked.setup({ mode: 'check' })), { created: [], changed: [] });
      }),
      queueCase('a-missing-group-is-missing', async (bench) => {
        const name = bench.name('topic');
        const before = defineTopic(name, { schema: z.unknown() });
        const after = defineTopic(name, { schema: z.unknown(), groups: { default: {}, newcomer: {} } });
        await bench.queue([before]);

        const error = await bench.rejects('not-found', () => bench.queue([after], { setup: 'check' }));

        assert.ok(error.message.includes('newcomer'));
      }),
      queueCase('without-a-setup-nothing-is-declared', async (bench) => {
        const topic = bench.topic();

        const queue = await bench.queue([topic], { setup: 'none' });

        await bench.rejects('not-found', queue.publish(topic, null));
        await bench.time.until(queue.setup());
        await queue.publish(topic, null);
      }),
    ],
  ),
  ...promise(
    '26.3',
    'Where what exists differs from what is asked, `setup` rejects with `topology-mismatch` naming the object, the argument and both values, and changes nothing, unless `change: true` is asked for and the difference can be applied without loss.',
    [
      queueCase('a-difference-is-named-and-nothing-is-changed', async (bench) => {
        const name = bench.name('topic');
        const make = (pattern: string) =>
          defineTopic(name, { schema: z.unknown(), groups: { default: { patterns: [pattern] } } });
        const [before, after] = [make('eu.#'), make('us.#')];
        const first = await bench.queue([before]);

        const error = await bench.rejects('topology-mismatch', () => bench.queue([after]));

        for (const part of [name, 'patterns', 'eu.#', 'us.#'])
          assert.ok(error.message.includes(part), `${part} is not named: ${error.message}`);
        await first.publish(before, null, { routingKey: 'eu.berlin' });
        await bench.rejects('unroutable', first.publish(before, null, { routingKey: 'us.east' }));
      }),
      queueCase('patterns-are-changed-when-that-is-asked-for-and-nothing-is-lost', async (bench) => {
        const name = bench.name('topic');
        const make = (pattern: string) =>
          defineTopic(name, { schema: z.unknown(), groups: { default: { patterns: [pattern] } } });
        const [before, after] = [make('eu.#'), make('us.#')];
        const first = await bench.queue([before]);
        await first.publish(before, null, { id: 'old', routingKey: 'eu.berlin' });

        const second = await bench.queue([after], { setup: 'none' });
        const report = await bench.time.until(second.setup({ change: true }));
        await second.publish(after, null, { id: 'new', routingKey: 'us.east' });

        assert.ok(report.changed.length > 0);
        assert.deepEqual(sorted(ids(await bench.drain(second, after))), ['new', 'old']);
        await bench.rejects('unroutable', second.publish(after, null, { routingKey: 'eu.berlin' }));
      }),
      driverCase('ordering-and-lanes-are-not-changed-while-messages-wait', async (bench) => {
        const topic = await bench.declare({ ordering: 'key', lanes: 4 });
        await bench.send(bench.entry(topic, 'm', { key: 'k' }));

        for (const other of [
          { ...topic, lanes: 8 },
          { ...topic, ordering: 'none' as const, lanes: 1 },
        ])
          for (const change of [false, true]) {
            const error = await refusal(bench, other, change);
            assert.equal(error.code, 'topology-mismatch');
            assert.ok(error.message.includes(topic.name), error.message);
          }

        assert.deepEqual(await bench.drain(await bench.subscribe(topic)), ['m']);
      }),
      driverCase('of-a-declaration-with-a-difference-nothing-is-applied', async (bench) => {
        const topic = await bench.declare({ ordering: 'key', lanes: 4 });
        const fresh = bench.topology();

        await refusal(bench, { ...topic, lanes: 8 }, false, [fresh]);

        const topics = await bench.time.until(bench.driver.admin.topics());
        assert.ok(topics.every(({ name }) => name !== fresh.name));
        assert.equal(topics.find(({ name }) => name === topic.name)?.lanes, 4);
      }),
      queueCase('a-queue-that-met-a-difference-can-be-used-again', async (bench) => {
        const topic = bench.topic();
        const queue = await bench.queue([topic]);
        const other = await bench.open();
        await bench.time.until(other.admin.removeGroup(topic.name, 'default'));
        await bench.time.until(other.admin.addGroup(topic.name, { name: 'default', patterns: ['eu'] }));

        await bench.rejects('topology-mismatch', queue.setup());

        await queue.publish(topic, null, { routingKey: 'eu' });
        assert.equal((await bench.drain(queue, topic)).length, 1);
      }),
    ],
  ),
];

function declare(bench: DriverBench, topics: readonly DriverTopic[]) {
  return bench.time.until(bench.driver.declare({ topics }, { mode: 'assert', change: false }));
}

async function refusal(
  bench: DriverBench,
  topic: DriverTopic,
  change: boolean,
  others: readonly DriverTopic[] = [],
): Promise<Refusal> {
  const declaring = bench.driver.declare({ topics: [...others, topic] }, { mode: 'assert', change });
  const error: unknown = await bench.time.until(
    declaring.then(
      () => null,
      (thrown: unknown) => thrown,
    ),
  );
  assert.ok(error instanceof Refusal, `expected a refusal, not ${String(error)}`);
  return error;
}
