import { expect, test } from 'vitest';
import {
  ack,
  death,
  drained,
  entry,
  idsOf,
  send,
  sendOne,
  settled,
  subscribed,
  taken,
  takenOne,
  toDead,
  topology,
  unhurried,
  world,
} from './world.js';

const dead = { kind: 'dead', topic: 'jobs', group: 'default' } as const;
const lost = { kind: 'lost' } as const;
const all = { limit: 100, cursor: null };
const two = { groups: ['default', 'other'].map((name) => ({ name, patterns: ['#'] })) };

test('an outbox leaves in the same instant as its ack, and its delays count from there', async () => {
  const { driver, clock } = await world();
  const subscription = await subscribed(driver);
  await send(driver, entry('a'));
  const a = await takenOne(subscription);
  await clock.advance(1000);

  await settled(subscription, ack(a.receipt, [entry('now'), entry('later', { delayMs: 100 })]));

  expect(await drained(subscription)).toEqual(['now']);
  await clock.advance(99);
  expect(await drained(subscription)).toEqual([]);
  await clock.advance(1);
  expect(await drained(subscription)).toEqual(['later']);
});

test('an outbox with an entry that fails leaves nothing behind: the settlement failed and the message is held', async () => {
  const { driver } = await world();
  const subscription = await subscribed(driver);
  await send(driver, entry('a'));
  const a = await takenOne(subscription);

  const result = await settled(subscription, ack(a.receipt, [entry('b'), entry('c', { topic: 'nowhere' })]));

  expect(result).toMatchObject({ status: 'failed', error: { code: 'not-found' } });
  expect(await driver.admin.depth('jobs', 'default')).toMatchObject({ ready: 0, inHand: 1 });
  expect(await settled(subscription, ack(a.receipt))).toEqual({ status: 'done' });
});

test('a dead letter and its notice leave in the same instant as the ack, and neither without it', async () => {
  const { driver } = await world();
  await driver.declare({ topics: [topology({ name: 'notices' })] }, { mode: 'assert', change: false });
  const subscription = await subscribed(driver);
  await send(driver, entry('a'));
  const a = await takenOne(subscription);
  const notice = entry('notice', { topic: 'notices' });

  expect(await settled(subscription, ack(a.receipt, [toDead('a', { group: 'nobody' }), notice]))).toMatchObject({
    status: 'failed',
  });
  expect(await driver.admin.depth('notices', 'default')).toMatchObject({ ready: 0 });
  expect(await settled(subscription, ack(a.receipt, [toDead('a'), notice]))).toEqual({ status: 'done' });

  expect(await driver.admin.depth('notices', 'default')).toMatchObject({ ready: 1 });
  expect(await driver.admin.depth('jobs', 'default')).toMatchObject({ ready: 0, inHand: 0, dead: 1 });
});

test('dead letters are kept per group and take nothing from another', async () => {
  const { driver } = await world(two);
  const subscription = await subscribed(driver);
  await send(driver, entry('a'));
  const a = await takenOne(subscription);

  await settled(subscription, ack(a.receipt, [toDead('a')]));

  expect((await driver.admin.letters({ ...dead, group: 'other' }, all)).total).toBe(0);
  expect(await drained(await subscribed(driver, { group: 'other' }))).toEqual(['a']);
});

test('listing dead letters tells everything, any number of times, and uses nothing up', async () => {
  const { driver, clock } = await world();
  const sent = toDead('a', { key: 'k', headers: { tenant: 'blue' } });
  await send(driver, sent);
  const buriedAt = clock.now();
  await clock.advance(1000);

  const list = await driver.admin.letters(dead, all);
  Object.assign(list.letters[0]?.death ?? {}, { reason: 'changed by the reader' });

  const letter = { message: sent.message, topic: 'jobs', group: 'default', death, buriedAt, expiresInMs: null };
  expect(await driver.admin.letters(dead, all)).toEqual({ letters: [letter], next: null, total: 1 });
});

test('letters come in pages, oldest first, which what goes meanwhile does not shift', async () => {
  const { driver } = await world();
  await send(driver, ...['a', 'b', 'c', 'd', 'e'].map((id) => toDead(id)));

  const first = await driver.admin.letters(dead, { limit: 2, cursor: null });
  await driver.admin.purge(dead, ['a', 'c']);
  const second = await driver.admin.letters(dead, { limit: 2, cursor: first.next });

  expect([idsOf(first.letters), first.total]).toEqual([['a', 'b'], 5]);
  expect([idsOf(second.letters), second.total, second.next]).toEqual([['d', 'e'], 3, null]);
  await expect(driver.admin.letters(dead, { limit: 2, cursor: 'x' })).rejects.toMatchObject({ code: 'invalid' });
});

test('redriven letters go to the end of their line with their ids, counts from the start', async () => {
  const { driver } = await world({ ordering: 'key', lanes: 4 });
  const subscription = await subscribed(driver);
  await send(driver, toDead('dead 1', { key: 'k' }), toDead('dead 2', { key: 'k' }), toDead('dead 3', { key: 'k' }));
  await send(driver, entry('waits', { key: 'k' }));

  expect(await driver.admin.redrive(dead, ['dead 3', 'nothing'])).toBe(1);
  expect(await driver.admin.redrive(dead, 'all')).toBe(2);
  expect(await driver.admin.redrive(dead, 'all')).toBe(0);

  expect(await drained(subscription)).toEqual(['waits', 'dead 3', 'dead 1', 'dead 2']);
});

test('a redriven letter wakes who waits, with fresh counts', async () => {
  const { driver, clock } = await world();
  const pending = (await subscribed(driver)).receive(1, 60_000, unhurried());
  await clock.advance(0);
  await send(driver, toDead('a', { counts: { attempt: 5, postpones: 3, firstFailedAt: 1 } }));

  await driver.admin.redrive(dead, ['a']);

  expect(await pending).toMatchObject([
    { message: { id: 'a' }, counts: { attempt: 1, postpones: 0, firstFailedAt: null }, redeliveries: 0 },
  ]);
});

test('purging answers how many letters it deleted', async () => {
  const { driver } = await world();
  await send(driver, toDead('a'), toDead('b'), toDead('c'));

  expect(await driver.admin.purge(dead, ['b', 'x'])).toBe(1);
  expect(idsOf((await driver.admin.letters(dead, all)).letters)).toEqual(['a', 'c']);
  expect(await driver.admin.purge(dead, 'all')).toBe(2);
  expect(await driver.admin.depth('jobs', 'default')).toMatchObject({ dead: 0 });
});

test('dead letters expire when the entry said so, and only then', async () => {
  const { driver, clock } = await world();
  await send(
    driver,
    toDead('keeps'),
    toDead('second', { expireAfterMs: 2000 }),
    toDead('first', { expireAfterMs: 1000 }),
  );
  const total = async () => (await driver.admin.letters(dead, all)).total;

  await clock.advance(999);
  expect(await total()).toBe(3);
  await clock.advance(1);
  expect(await total()).toBe(2);
  await clock.advance(1000);

  expect(await driver.admin.redrive(dead, 'all')).toBe(1);
  expect(await drained(await subscribed(driver))).toEqual(['keeps']);
});

test('a group that is removed loses what waits for it and its dead letters, and nobody else loses anything', async () => {
  const { driver } = await world(two);
  await send(driver, entry('a'), toDead('b'));

  await driver.admin.removeGroup('jobs', 'default');
  await driver.admin.removeGroup('jobs', 'default');
  await driver.admin.addGroup('jobs', { name: 'default', patterns: ['#'] });

  expect(await driver.admin.depth('jobs', 'default')).toMatchObject({ ready: 0, dead: 0 });
  expect(await drained(await subscribed(driver, { group: 'other' }))).toEqual(['a']);
});

test('what is in hand when its group is removed can no longer be settled, and its reader hears that the group is gone', async () => {
  const { driver } = await world();
  const subscription = await subscribed(driver);
  await send(driver, entry('a'));
  const a = await takenOne(subscription);
  const pending = subscription.receive(1, 60_000, unhurried());

  await driver.admin.removeGroup('jobs', 'default');

  await expect(pending).rejects.toMatchObject({ code: 'not-found' });
  await expect(subscription.receive(1, 0, unhurried())).rejects.toMatchObject({ code: 'not-found' });
  expect(await settled(subscription, ack(a.receipt))).toEqual({ status: 'lost' });
});

test('a subscription goes on when its group is added again', async () => {
  const { driver, clock } = await world();
  const subscription = await subscribed(driver);
  await driver.admin.removeGroup('jobs', 'default');
  await driver.admin.addGroup('jobs', { name: 'default', patterns: ['#'] });
  await send(driver, entry('a'));

  expect(idsOf(await taken(subscription))).toEqual(['a']);
  expect(clock.pending).toBe(0);
});

test('a delayed message whose group is gone becomes a lost letter when it falls due, and stops nobody else', async () => {
  const { driver, clock } = await world(two);
  await send(driver, entry('due at 200', { delayMs: 200 }), entry('due at 100', { delayMs: 100 }));
  await driver.admin.removeGroup('jobs', 'default');
  const start = clock.now();
  expect((await driver.admin.letters(lost, all)).total).toBe(0);
  await clock.advance(100);
  expect(idsOf((await driver.admin.letters(lost, all)).letters)).toEqual(['due at 100']);
  await clock.advance(1000);

  const { letters, total } = await driver.admin.letters(lost, all);

  expect(total).toBe(2);
  expect(letters).toMatchObject([
    { message: { id: 'due at 100' }, topic: 'jobs', group: 'default', death: null, buriedAt: start + 100 },
    { message: { id: 'due at 200' }, buriedAt: start + 200 },
  ]);
  expect(await drained(await subscribed(driver, { group: 'other' }))).toEqual(['due at 100', 'due at 200']);
});

test('a delayed message whose group came back before it fell due is delivered', async () => {
  const { driver, clock } = await world();
  await send(driver, entry('early', { delayMs: 100 }), entry('late', { delayMs: 300 }));
  await driver.admin.removeGroup('jobs', 'default');
  await clock.advance(200);
  await driver.admin.addGroup('jobs', { name: 'default', patterns: ['#'] });
  const subscription = await subscribed(driver);

  expect(await drained(subscription)).toEqual([]);
  await clock.advance(100);

  expect(await drained(subscription)).toEqual(['late']);
  expect(idsOf((await driver.admin.letters(lost, all)).letters)).toEqual(['early']);
});

test('lost letters are redriven when their group is back, and stay while it is not', async () => {
  const { driver, clock } = await world(two);
  await send(driver, entry('a', { delayMs: 100, target: { kind: 'group', group: 'default' } }));
  await send(driver, entry('b', { delayMs: 100, target: { kind: 'group', group: 'other' } }));
  await driver.admin.removeGroup('jobs', 'default');
  await driver.admin.removeGroup('jobs', 'other');
  await clock.advance(100);

  expect(await driver.admin.redrive(lost, 'all')).toBe(0);
  await driver.admin.addGroup('jobs', { name: 'default', patterns: [] });
  expect(await driver.admin.redrive(lost, 'all')).toBe(1);

  expect(await drained(await subscribed(driver))).toEqual(['a']);
  expect(idsOf((await driver.admin.letters(lost, all)).letters)).toEqual(['b']);
  expect(await driver.admin.purge(lost, ['b'])).toBe(1);
});

test('a send to the dead letters of an unknown group is not found', async () => {
  const { driver } = await world();

  expect(await sendOne(driver, toDead('a', { group: 'nobody' }))).toMatchObject({ error: { code: 'not-found' } });
});
