import { expect, test } from 'vitest';
import { RecentSends } from '../../../src/queue/recent-sends.js';
import { drained, entry, idsOf, opened, send, sendOne, subscribed, taken, topology, world } from './world.js';

const groups = [
  { name: 'audit', patterns: ['#'] },
  { name: 'builds', patterns: ['build.*', 'build.started'] },
];

test('each group gets one copy of what its patterns accept, however many of them match', async () => {
  const { driver } = await world({ groups });

  expect(await sendOne(driver, entry('a', { routingKey: 'build.started' }))).toEqual({ status: 'stored', groups: 2 });
  expect(await sendOne(driver, entry('b', { routingKey: 'test.started' }))).toEqual({ status: 'stored', groups: 1 });

  expect(await drained(await subscribed(driver, { group: 'builds' }))).toEqual(['a']);
  expect(await drained(await subscribed(driver, { group: 'audit' }))).toEqual(['a', 'b']);
});

test('a send to one group reaches it alone, whatever its patterns say', async () => {
  const { driver } = await world({ groups });

  const result = await sendOne(driver, entry('a', { target: { kind: 'group', group: 'builds' } }));

  expect(result).toEqual({ status: 'stored', groups: 1 });
  expect(await drained(await subscribed(driver, { group: 'builds' }))).toEqual(['a']);
  expect(await drained(await subscribed(driver, { group: 'audit' }))).toEqual([]);
});

test('a send starts with the counts it says', async () => {
  const { driver } = await world();
  const counts = { attempt: 4, postpones: 5, firstFailedAt: 6 };
  await send(driver, entry('a', { counts }));

  expect(await taken(await subscribed(driver))).toMatchObject([{ counts, redeliveries: 0 }]);
});

test('what no group accepts is refused as unroutable, or discarded where the entry says so', async () => {
  const { driver } = await world({ groups: groups.slice(1) });

  const refused = await sendOne(driver, entry('a', { routingKey: 'other' }));
  const discarded = await sendOne(driver, entry('a', { routingKey: 'other', unmatched: 'discard' }));

  expect(refused).toMatchObject({ status: 'failed', error: { name: 'Refusal', code: 'unroutable' } });
  expect(discarded).toEqual({ status: 'stored', groups: 0 });
});

test('an unknown topic or group is not found, and its neighbours are stored', async () => {
  const { driver } = await world();
  const notFound = { status: 'failed', error: { name: 'Refusal', code: 'not-found' } };

  const results = await driver.send([
    entry('a', { topic: 'nowhere' }),
    entry('b', { target: { kind: 'group', group: 'nobody' } }),
    entry('c'),
  ]);

  expect(results).toMatchObject([notFound, notFound, { status: 'stored', groups: 1 }]);
  expect(await drained(await subscribed(driver))).toEqual(['c']);
});

test('after an entry failed, later ones of its topic and key fail too and may be sent again; others are stored', async () => {
  const { driver } = await world({ groups: groups.slice(1) });
  const routingKey = 'build.done';

  const results = await driver.send([
    entry('a1', { key: 'a', routingKey }),
    entry('a2', { key: 'a', routingKey: 'unroutable' }),
    entry('a3', { key: 'a', routingKey }),
    entry('b1', { key: 'b', routingKey }),
    entry('keyless', { routingKey }),
  ]);

  expect(results.map(({ status }) => status)).toEqual(['stored', 'failed', 'failed', 'stored', 'stored']);
  expect(results[2]).toMatchObject({ error: { name: 'Refusal', code: 'conflict' } });
  expect(await drained(await subscribed(driver, { group: 'builds' }))).toEqual(['a1', 'b1', 'keyless']);
});

test('a repeated send of one call stores nothing and is answered as the first time, by whichever client', async () => {
  const { driver, store } = await world({ groups });
  const once = entry('a', { nonce: 'this call', routingKey: 'build.done' });
  const first = await sendOne(driver, once);

  const again = await sendOne(await opened({ store }), once);

  expect(again).toEqual(first);
  expect(await drained(await subscribed(driver, { group: 'audit' }))).toEqual(['a']);
});

test('a send that failed is no first time: its repetition is stored', async () => {
  const { driver } = await world();
  const once = entry('a', { nonce: 'this call', topic: 'later' });
  expect(await sendOne(driver, once)).toMatchObject({ status: 'failed' });

  await driver.declare({ topics: [topology({ name: 'later' })] }, { mode: 'assert', change: false });

  expect(await sendOne(driver, once)).toEqual({ status: 'stored', groups: 1 });
});

test('message ids are never looked at: two calls may use the same', async () => {
  const { driver } = await world();

  await send(driver, entry('a'), entry('a'));

  expect(await drained(await subscribed(driver))).toEqual(['a', 'a']);
});

test('recent sends are remembered in bounded memory', () => {
  const recent = new RecentSends(3);
  for (let n = 1; n <= 7; n++) recent.remember(`${n}`, { status: 'stored', groups: n });

  const known = [1, 2, 3, 4, 5, 6, 7].filter((n) => recent.find(`${n}`) !== undefined);

  expect(known).toEqual([4, 5, 6, 7]);
});

test('within its window an idempotency key stores once and answers the first id', async () => {
  const { driver, clock } = await world();
  const withKey = (id: string) => entry(id, { dedup: { key: 'order 7', windowMs: 1000 } });
  await send(driver, withKey('first'));

  await clock.advance(999);
  expect(await sendOne(driver, withKey('second'))).toEqual({ status: 'duplicate', id: 'first' });
  await clock.advance(1);
  expect(await sendOne(driver, withKey('third'))).toEqual({ status: 'stored', groups: 1 });
  expect(await sendOne(driver, withKey('fourth'))).toEqual({ status: 'duplicate', id: 'third' });

  expect(await drained(await subscribed(driver))).toEqual(['first', 'third']);
});

test('idempotency keys are compared as bytes, per topic', async () => {
  const { driver } = await world();
  await driver.declare({ topics: [topology({ name: 'other' })] }, { mode: 'assert', change: false });
  const keys = ['k', 'K', 'k ', 'ḱ', 'k\u0301'];

  for (const key of keys) await send(driver, entry(key, { dedup: { key, windowMs: 1000 } }));
  await send(driver, entry('k', { topic: 'other', dedup: { key: 'k', windowMs: 1000 } }));

  expect(await drained(await subscribed(driver))).toEqual(keys);
});

test('an idempotency key whose send failed is free', async () => {
  const { driver } = await world({ groups: groups.slice(1) });
  const dedup = { key: 'k', windowMs: 1000 };
  expect(await sendOne(driver, entry('a', { dedup }))).toMatchObject({ status: 'failed' });

  expect(await sendOne(driver, entry('b', { dedup, routingKey: 'build.x' }))).toMatchObject({ status: 'stored' });
});

test('messages acked leave nothing to count, and messages waiting are counted with their age', async () => {
  const { driver, clock } = await world();
  const subscription = await subscribed(driver);
  await send(driver, entry('a'), entry('b'), entry('delayed', { delayMs: 5000 }), entry('late', { delayMs: 90_000 }));
  await clock.advance(1000);
  const [a] = await taken(subscription, 1);
  expect(await driver.admin.depth('jobs', 'default')).toEqual({
    ready: 1,
    delayed: 2,
    inHand: 1,
    dead: 0,
    oldestAgeMs: 1000,
    paused: false,
  });

  await subscription.settle([{ kind: 'ack', receipt: a?.receipt as object, outbox: [] }]);
  expect(idsOf(await taken(subscription))).toEqual(['b']);
  await clock.advance(6000);

  expect(await driver.admin.depth('jobs', 'default')).toMatchObject({ ready: 1, delayed: 1, oldestAgeMs: 2000 });
  await drained(subscription);
  expect(await driver.admin.depth('jobs', 'default')).toMatchObject({ ready: 0, oldestAgeMs: 0 });
});
