import { expect, test } from 'vitest';
import { drained, entry, opened, send, subscribed, topology, world } from './world.js';

const assert = { mode: 'assert', change: false } as const;
const change = { mode: 'assert', change: true } as const;
const check = { mode: 'check', change: false } as const;
const group = (name: string, ...patterns: readonly string[]) => ({ name, patterns });

test('declaring makes what is missing and says what that was; again, it changes nothing', async () => {
  const { driver } = await world();
  const topics = [topology({ groups: [group('default', '#'), group('audit', 'a.*')] }), topology({ name: 'other' })];

  expect(await driver.declare({ topics }, assert)).toEqual({
    created: ['group "audit" of topic "jobs"', 'topic "other"', 'group "default" of topic "other"'],
    changed: [],
  });
  expect(await driver.declare({ topics }, assert)).toEqual({ created: [], changed: [] });
});

test('many may declare the same at once', async () => {
  const { driver, store } = await world();
  const clients = await Promise.all([1, 2, 3].map(() => opened({ store })));
  const topics = [topology({ name: 'new' }), topology({ name: 'new' })];

  await Promise.all([driver, ...clients].map((client) => client.declare({ topics }, assert)));

  expect((await driver.admin.topics()).map(({ name }) => name)).toEqual(['jobs', 'new']);
});

test('what exists is told sorted by name, declared by whichever client', async () => {
  const { driver, store } = await world();
  const other = await opened({ store });
  const groups = [group('b', '#'), group('a', 'x', 'y')];
  await other.declare({ topics: [topology({ name: 'a topic', groups, expectedDelaysMs: [1000] })] }, assert);

  expect(await driver.admin.topics()).toEqual([
    topology({ name: 'a topic', groups: [...groups].reverse(), expectedDelaysMs: [1000] }),
    topology(),
  ]);
});

test('a group gets what is published after its declaration, and groups that are not named are left alone', async () => {
  const { driver } = await world();
  await send(driver, entry('before'));
  await driver.declare({ topics: [topology({ groups: [group('late', '#')] })] }, assert);
  await send(driver, entry('after'));

  expect(await drained(await subscribed(driver, { group: 'late' }))).toEqual(['after']);
  expect(await drained(await subscribed(driver))).toEqual(['before', 'after']);
});

test('checking changes nothing and names what is missing or differs', async () => {
  const { driver } = await world();
  const checked = (topic: Parameters<typeof topology>[0]) => driver.declare({ topics: [topology(topic)] }, check);

  await expect(checked({ name: 'new' })).rejects.toMatchObject({
    code: 'not-found',
    message: 'there is no topic "new", no group "default" of topic "new"',
  });
  await expect(checked({ groups: [group('new', '#')] })).rejects.toMatchObject({
    code: 'not-found',
    message: 'there is no group "new" of topic "jobs"',
  });
  await expect(checked({ groups: [group('default', 'x')] })).rejects.toMatchObject({ code: 'topology-mismatch' });
  expect(await checked({})).toEqual({ created: [], changed: [] });
  expect(await driver.admin.topics()).toEqual([topology()]);
});

test('what differs is refused by object, argument and both values, and nothing of the declaration is done', async () => {
  const { driver } = await world();
  const topics = [topology({ name: 'new' }), topology({ groups: [group('default', 'x')] })];

  await expect(driver.declare({ topics }, assert)).rejects.toMatchObject({
    name: 'Refusal',
    code: 'topology-mismatch',
    message: 'group "default" of topic "jobs" exists with patterns ["#"], asked for ["x"]',
  });
  expect(await driver.admin.topics()).toEqual([topology()]);
});

test('patterns are the same in any order, and change when asked to, without losing what waits', async () => {
  const { driver } = await world({ groups: [group('default', 'a', 'b')] });
  await send(driver, entry('a', { routingKey: 'a' }));
  expect(await driver.declare({ topics: [topology({ groups: [group('default', 'b', 'a', 'b')] })] }, assert)).toEqual({
    created: [],
    changed: [],
  });

  expect(await driver.declare({ topics: [topology({ groups: [group('default', 'c')] })] }, change)).toEqual({
    created: [],
    changed: ['group "default" of topic "jobs"'],
  });
  await send(driver, entry('c', { routingKey: 'c' }));

  expect(await drained(await subscribed(driver))).toEqual(['a', 'c']);
});

test.each(['with a message', 'empty'])('lanes and ordering do not change, also when asked to: %s', async (what) => {
  const { driver } = await world({ ordering: 'key', lanes: 4 });
  if (what !== 'empty') await send(driver, entry('waits', { key: 'k' }));

  for (const options of [assert, change])
    await expect(driver.declare({ topics: [topology({ ordering: 'key', lanes: 8 })] }, options)).rejects.toMatchObject({
      code: 'topology-mismatch',
      message: 'topic "jobs" exists with lanes 4, asked for 8',
    });
  expect(await driver.admin.topics()).toEqual([topology({ ordering: 'key', lanes: 4 })]);
});

test('adding a group that exists is fine with the same patterns, and a mismatch with others', async () => {
  const { driver } = await world();

  await driver.admin.addGroup('jobs', group('default', '#'));
  await expect(driver.admin.addGroup('jobs', group('default', 'x'))).rejects.toMatchObject({
    code: 'topology-mismatch',
  });
});

test('every verb says not-found for a topic or group that nobody declared', async () => {
  const { driver } = await world();
  const { admin } = driver;
  const dead = { kind: 'dead', topic: 'jobs', group: 'nobody' } as const;
  const page = { limit: 1, cursor: null };

  const calls = [
    subscribed(driver, { topic: 'nowhere' }),
    subscribed(driver, { group: 'nobody' }),
    admin.addGroup('nowhere', group('default', '#')),
    admin.removeGroup('nowhere', 'default'),
    admin.depth('nowhere', 'default'),
    admin.depth('jobs', 'nobody'),
    admin.letters(dead, page),
    admin.redrive(dead, 'all'),
    admin.purge(dead, 'all'),
  ];

  for (const call of calls) await expect(call).rejects.toMatchObject({ name: 'Refusal', code: 'not-found' });
});
