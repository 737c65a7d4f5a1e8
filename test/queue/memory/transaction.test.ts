import { memoryStore } from 'signalbox/memory';
import { expect, test } from 'vitest';
import {
  ack,
  drained,
  entry,
  isPending,
  opened,
  send,
  sendOne,
  settled,
  subscribed,
  takenOne,
  unhurried,
  world,
} from './world.js';

const withKey = (id: string, key = 'k') => entry(id, { dedup: { key, windowMs: 1000 } });

test('what is sent within a transaction is seen when it commits, by those who wait too', async () => {
  const { driver, store, clock } = await world();
  const pending = (await subscribed(driver)).receive(10, 60_000, unhurried());
  const transaction = store.begin();
  expect(await sendOne(driver, entry('a'), transaction)).toEqual({ status: 'stored', groups: 1 });
  expect(await isPending(pending, clock)).toBe(true);

  transaction.commit();

  expect((await pending).map(({ message }) => message.id)).toEqual(['a']);
});

test('what is sent within a transaction that is rolled back was never there', async () => {
  const { driver, store } = await world();
  const transaction = store.begin();
  const sent = withKey('a');
  await sendOne(driver, sent, transaction);

  transaction.rollback();
  transaction.rollback();

  expect(await drained(await subscribed(driver))).toEqual([]);
  expect(await sendOne(driver, sent)).toEqual({ status: 'stored', groups: 1 });
});

test('delays count from the commit, and what was published meanwhile comes first', async () => {
  const { driver, store, clock } = await world();
  const transaction = store.begin();
  await sendOne(driver, entry('within'), transaction);
  await sendOne(driver, entry('delayed', { delayMs: 100 }), transaction);
  await clock.advance(1000);
  await send(driver, entry('meanwhile'));

  transaction.commit();
  const subscription = await subscribed(driver);

  expect(await drained(subscription)).toEqual(['meanwhile', 'within']);
  await clock.advance(100);
  expect(await drained(subscription)).toEqual(['delayed']);
});

test('a sender may use his objects again before the commit', async () => {
  const { driver, store } = await world();
  const transaction = store.begin();
  const sent = entry('a');
  await sendOne(driver, sent, transaction);
  sent.message.body.fill(0);

  transaction.commit();

  const { message } = await takenOne(await subscribed(driver));
  expect(new TextDecoder().decode(message.body)).toBe('a');
});

test('an open transaction makes no other publisher wait, except one with the same idempotency key', async () => {
  const { driver, store, clock } = await world();
  const transaction = store.begin();
  await sendOne(driver, withKey('within'), transaction);

  expect(await sendOne(driver, withKey('other key', 'other'))).toMatchObject({ status: 'stored' });
  const waiting = sendOne(driver, withKey('waits'));
  expect(await isPending(waiting, clock)).toBe(true);
  transaction.commit();

  expect(await waiting).toEqual({ status: 'duplicate', id: 'within' });
});

test('who waited for a key that was rolled back gets it, with what he sent when he sent it', async () => {
  const { driver, store, clock } = await world();
  const transaction = store.begin();
  await sendOne(driver, withKey('within'), transaction);
  const waits = withKey('waits');
  const waiting = sendOne(driver, waits);
  await clock.advance(0);
  waits.message.body.fill(0);

  transaction.rollback();

  expect(await waiting).toMatchObject({ status: 'stored' });
  const { message } = await takenOne(await subscribed(driver));
  expect(new TextDecoder().decode(message.body)).toBe('waits');
});

test('a settlement waits for the idempotency key of its outbox', async () => {
  const { driver, store, clock } = await world();
  const subscription = await subscribed(driver);
  await send(driver, entry('a'));
  const a = await takenOne(subscription);
  const transaction = store.begin();
  await sendOne(driver, withKey('within'), transaction);

  const settling = settled(subscription, ack(a.receipt, [withKey('outbox')]));
  expect(await isPending(settling, clock)).toBe(true);
  transaction.commit();

  expect(await settling).toEqual({ status: 'done' });
  expect(await drained(subscription)).toEqual(['within']);
});

test('within one transaction a key is used once, and a repeated send recognised', async () => {
  const { driver, store } = await world();
  const transaction = store.begin();
  const first = withKey('first');

  expect(await sendOne(driver, first, transaction)).toEqual({ status: 'stored', groups: 1 });
  expect(await sendOne(driver, first, transaction)).toEqual({ status: 'stored', groups: 1 });
  expect(await sendOne(driver, withKey('second'), transaction)).toEqual({ status: 'duplicate', id: 'first' });
  transaction.commit();

  expect(await drained(await subscribed(driver))).toEqual(['first']);
});

test('two transactions that wait for each other: the second is refused', async () => {
  const { driver, store } = await world();
  const [one, other] = [store.begin(), store.begin()];
  await sendOne(driver, withKey('one', 'k1'), one);
  await sendOne(driver, withKey('other', 'k2'), other);
  const waiting = sendOne(driver, withKey('one again', 'k2'), one);

  await expect(sendOne(driver, withKey('other again', 'k1'), other)).rejects.toMatchObject({ code: 'conflict' });

  other.rollback();
  expect(await waiting).toMatchObject({ status: 'stored' });
});

test('what is no open transaction of this store is refused', async () => {
  const { driver, store } = await world();
  const ended = store.begin();
  ended.commit();

  for (const within of [ended, memoryStore().begin(), {}, null]) {
    await expect(driver.send([entry('a')], within)).rejects.toMatchObject({ name: 'Refusal', code: 'invalid' });
  }
  expect(() => ended.commit()).toThrow('has ended');
  expect(await drained(await subscribed(driver))).toEqual([]);
});

test('what goes to a group that was removed before the commit takes nothing else with it', async () => {
  const { driver, store } = await world();
  await driver.admin.addGroup('jobs', { name: 'gone', patterns: [] });
  const transaction = store.begin();
  const sends = [entry('a', { key: 'k', target: { kind: 'group', group: 'gone' } }), entry('b', { key: 'k' })];
  await driver.send(sends, transaction);
  await driver.admin.removeGroup('jobs', 'gone');

  transaction.commit();

  expect(await drained(await subscribed(driver))).toEqual(['b']);
});

test('a killed client takes its open transactions with it', async () => {
  const { driver, store } = await world();
  const transaction = store.begin();
  await sendOne(driver, withKey('within'), transaction);
  const survivor = await opened({ store });
  const waiting = sendOne(survivor, withKey('waits'));

  driver.kill();

  expect(await waiting).toMatchObject({ status: 'stored' });
  expect(() => transaction.commit()).toThrow('has ended');
});
