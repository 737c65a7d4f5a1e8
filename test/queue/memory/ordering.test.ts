import { expect, test } from 'vitest';
import { OrderedBacklog } from '../../../src/queue/memory/ordered-backlog.js';
import { Reader } from '../../../src/queue/memory/reader.js';
import {
  ack,
  drained,
  entry,
  giveBack,
  idsOf,
  release,
  send,
  settled,
  subscribed,
  taken,
  takenOne,
  unhurried,
  world,
} from './world.js';

const ordered = { ordering: 'key', lanes: 4 } as const;

test('a key that has a message in hand, with anybody, is skipped; others are not', async () => {
  const { driver } = await world(ordered);
  const subscription = await subscribed(driver);
  await send(driver, entry('a1', { key: 'a' }), entry('a2', { key: 'a' }), entry('b1', { key: 'b' }));

  const [a1, b1] = await taken(subscription);
  expect([a1?.message.id, b1?.message.id]).toEqual(['a1', 'b1']);
  expect(await taken(subscription)).toEqual([]);
  await settled(subscription, ack(a1?.receipt as object));

  expect(idsOf(await taken(subscription))).toEqual(['a2']);
});

test('a message that waits for its key wakes its reader when the key is free', async () => {
  const { driver, clock } = await world(ordered);
  const subscription = await subscribed(driver);
  await send(driver, entry('a1', { key: 'a' }), entry('a2', { key: 'a' }));
  const a1 = await takenOne(subscription);
  const pending = subscription.receive(1, 60_000, unhurried());
  await clock.advance(0);

  await settled(subscription, ack(a1.receipt));

  expect(idsOf(await pending)).toEqual(['a2']);
});

test('messages of one key come in publish order, given back or lost ones in their old place', async () => {
  const { driver, clock } = await world(ordered);
  const subscription = await subscribed(driver);
  await send(driver, ...['a1', 'a2', 'a3'].map((id) => entry(id, { key: 'a' })));
  await settled(subscription, giveBack((await takenOne(subscription)).receipt));
  expect((await takenOne(subscription)).message.id).toBe('a1');
  await clock.advance(30_000);

  expect(await drained(subscription)).toEqual(['a1', 'a2', 'a3']);
});

test('a delayed or released message stands outside its line until it is due, then goes to the end', async () => {
  const { driver, clock } = await world(ordered);
  const subscription = await subscribed(driver);
  await send(
    driver,
    entry('delayed', { key: 'a', delayMs: 100 }),
    ...['a1', 'a2'].map((id) => entry(id, { key: 'a' })),
  );
  await settled(subscription, release((await takenOne(subscription)).receipt, 200));

  expect((await takenOne(subscription)).message.id).toBe('a2');
  await clock.advance(250);
  await send(driver, entry('a3', { key: 'a' }));
  await clock.advance(30_000);

  expect(await drained(subscription)).toEqual(['a2', 'delayed', 'a1', 'a3']);
});

test('messages without a key wait for no one', async () => {
  const { driver } = await world(ordered);
  const subscription = await subscribed(driver);
  await send(driver, entry('one', { lane: 2 }), entry('two', { lane: 2 }));

  const both = await taken(subscription);
  for (const { receipt } of [...both].reverse()) await settled(subscription, giveBack(receipt));

  expect(await drained(subscription)).toEqual(['one', 'two']);
});

test('lanes are shared out: each is served by one reader, all are served', async () => {
  const { driver } = await world(ordered);
  const readers = [await subscribed(driver), await subscribed(driver)];
  for (let lane = 0; lane < 4; lane++) {
    await send(driver, entry(`${lane}x`, { key: `${lane}x`, lane }), entry(`${lane}y`, { key: `${lane}y`, lane }));
  }

  const [one, other] = await Promise.all(readers.map(async (reader) => idsOf(await taken(reader))));

  const lanesOf = (ids: readonly (string | null)[] = []) => new Set(ids.map((id) => id?.[0]));
  expect([...lanesOf(one)].some((lane) => lanesOf(other).has(lane))).toBe(false);
  expect([lanesOf(one).size, lanesOf(other).size, one?.length, other?.length]).toEqual([2, 2, 4, 4]);
});

test('a lane is handed over at once, and a key of it that is in hand is skipped until it is settled', async () => {
  const { driver } = await world({ ...ordered, lanes: 1 });
  const first = await subscribed(driver);
  const second = await subscribed(driver);
  await send(driver, entry('a1', { key: 'a' }), entry('a2', { key: 'a' }), entry('b1', { key: 'b' }));
  expect(await taken(second)).toEqual([]);
  const a1 = await takenOne(first);

  await subscribed(driver);
  expect(await taken(second)).toEqual([]);
  await first.close();

  expect(await settled(first, ack(a1.receipt))).toEqual({ status: 'lost' });
  const [again, b1] = await taken(second);
  expect([again?.message.id, b1?.message.id, again?.redeliveries]).toEqual(['a1', 'b1', 1]);
});

test('a reader that joins gets lanes whose keys are still in hand with another, and waits for those keys alone', async () => {
  const { driver } = await world(ordered);
  const first = await subscribed(driver);
  for (let lane = 0; lane < 4; lane++) {
    await send(driver, entry(`${lane}x1`, { key: `${lane}x`, lane }), entry(`${lane}x2`, { key: `${lane}x`, lane }));
  }
  const inHand = await taken(first);
  const second = await subscribed(driver);
  await send(driver, ...[0, 1, 2, 3].map((lane) => entry(`${lane}y`, { key: `${lane}y`, lane })));

  const early = idsOf(await taken(second));
  await first.settle(inHand.map(({ receipt }) => ack(receipt)));
  const late = idsOf(await taken(second));

  expect([early.length, late.length]).toEqual([2, 2]);
  expect(late).toEqual(early.map((id) => `${id?.[0]}x2`));
});

test('ten thousand keys that were used once leave nothing behind', () => {
  const backlog = new OrderedBacklog(8);
  const reader = new Reader(30_000, () => {});
  backlog.share([reader]);
  for (let place = 1; place <= 10_000; place++) {
    const { message, lane, counts } = entry(`${place}`, { key: `${place}`, lane: place % 8 });
    backlog.add({ message, lane, counts, unanswered: 0, place, dueAt: 0 });
  }
  expect(backlog.keys).toBe(10_000);

  for (let copy = backlog.take(reader); copy !== undefined; copy = backlog.take(reader)) backlog.letGo(copy);

  expect([backlog.keys, backlog.size, backlog.oldestDueAt()]).toEqual([0, 0, null]);
});
