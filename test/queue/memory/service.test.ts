import { expect, test } from 'vitest';
import {
  drained,
  entry,
  giveBack,
  idsOf,
  isPending,
  release,
  send,
  settled,
  subscribed,
  taken,
  takenOne,
  unhurried,
  world,
} from './world.js';

test('a message is served once, to one reader, with everything that was sent', async () => {
  const { driver } = await world();
  const [one, other] = [await subscribed(driver), await subscribed(driver)];
  const sent = entry('a', { key: 'k', routingKey: 'x.y', headers: { tenant: 'blue' }, publishedAt: 7 });

  await send(driver, sent);
  const received = await taken(one);

  expect(received).toMatchObject([{ message: sent.message, counts: sent.counts, redeliveries: 0 }]);
  expect(await taken(one)).toEqual([]);
  expect(await taken(other)).toEqual([]);
});

test('receive answers at most as many as asked for', async () => {
  const { driver } = await world();
  const subscription = await subscribed(driver);
  await send(driver, entry('a'), entry('b'), entry('c'));

  expect(idsOf(await taken(subscription, 2))).toEqual(['a', 'b']);
  expect(idsOf(await taken(subscription, 2))).toEqual(['c']);
});

test('a pending receive answers what is sent, all of a batch together', async () => {
  const { driver, clock } = await world();
  const pending = (await subscribed(driver)).receive(10, 60_000, unhurried());
  expect(await isPending(pending, clock)).toBe(true);

  await send(driver, entry('a'), entry('b'));

  expect(idsOf(await pending)).toEqual(['a', 'b']);
  expect(clock.pending).toBe(0);
});

test('a pending receive answers empty after waitMs, and not before', async () => {
  const { driver, clock } = await world();
  const pending = (await subscribed(driver)).receive(10, 1000, unhurried());

  await clock.advance(999);
  expect(await isPending(pending, clock)).toBe(true);
  await clock.advance(1);

  expect(await pending).toEqual([]);
  expect(clock.pending).toBe(0);
});

test('a message whose delay has not passed is never handed out, and waits for nobody to look', async () => {
  const { driver, clock } = await world();
  const subscription = await subscribed(driver);
  await send(driver, entry('a', { delayMs: 250 }));
  const pending = subscription.receive(1, 60_000, unhurried());

  await clock.advance(249);
  expect(await isPending(pending, clock)).toBe(true);
  await clock.advance(1);

  expect(idsOf(await pending)).toEqual(['a']);
});

test('what is due is served in the order in which it became due', async () => {
  const { driver, clock } = await world();
  const subscription = await subscribed(driver);
  await send(driver, entry('due at 200', { delayMs: 200 }), entry('due at 100', { delayMs: 100 }), entry('at once'));
  await clock.advance(150);
  await send(driver, entry('published at 150'));
  await clock.advance(150);
  await send(driver, entry('published at 300'));

  const ids = await drained(subscription);

  expect(ids).toEqual(['at once', 'due at 100', 'published at 150', 'due at 200', 'published at 300']);
});

test('of what falls due in one instant, the first to be sent is the first', async () => {
  const { driver, clock } = await world();
  const subscription = await subscribed(driver);
  await send(driver, entry('first', { delayMs: 100 }));
  await clock.advance(50);
  await send(driver, entry('second', { delayMs: 50 }));
  await clock.advance(50);
  await send(driver, entry('published at their due time'));

  expect(await drained(subscription)).toEqual(['first', 'second', 'published at their due time']);
});

test('what is given back comes in its old place, not counted', async () => {
  const { driver } = await world();
  const subscription = await subscribed(driver);
  await send(driver, entry('a'), entry('b'), entry('c'), entry('d'));
  const [a, b, c] = await taken(subscription, 3);

  for (const received of [c, a, b]) await settled(subscription, giveBack(received?.receipt as object));
  const again = await taken(subscription);

  expect(idsOf(again)).toEqual(['a', 'b', 'c', 'd']);
  expect(again.map(({ redeliveries }) => redeliveries)).toEqual([0, 0, 0, 0]);
});

test('a released message leaves its place and comes after what was published until its delay ended', async () => {
  const { driver, clock } = await world();
  const subscription = await subscribed(driver);
  await send(driver, entry('a'), entry('b'));
  const a = await takenOne(subscription);
  const counts = { attempt: 2, postpones: 3, firstFailedAt: 4 };

  expect(await settled(subscription, release(a.receipt, 100, counts))).toEqual({ status: 'done' });
  await clock.advance(99);
  await send(driver, entry('published before it is due'));
  expect(await drained(subscription)).toEqual(['b', 'published before it is due']);
  await clock.advance(1);
  const [again] = await taken(subscription);

  expect(again).toMatchObject({ message: { id: 'a' }, counts, redeliveries: 0 });
});

test('released without a delay, it is available at once, behind what waits', async () => {
  const { driver } = await world();
  const subscription = await subscribed(driver);
  await send(driver, entry('a'), entry('b'));
  const a = await takenOne(subscription);

  await settled(subscription, release(a.receipt));

  expect(await drained(subscription)).toEqual(['b', 'a']);
});

test('however many are delayed or in hand, who waits costs two timers, and nobody who waits none', async () => {
  const { driver, clock } = await world();
  const subscription = await subscribed(driver);
  for (let n = 0; n < 1000; n++) await send(driver, entry(`${n}`), entry(`late ${n}`, { delayMs: 1000 + n }));
  await taken(subscription);
  expect(clock.pending).toBe(0);

  const pending = subscription.receive(1, 60_000, unhurried());
  await clock.advance(0);
  expect(clock.pending).toBe(2);
  await clock.advance(1000);

  expect(idsOf(await pending)).toEqual(['late 0']);
  expect(clock.pending).toBe(0);
});

test('neither the sender nor a receiver can change what is stored', async () => {
  const { driver } = await world();
  const subscription = await subscribed(driver);
  const body = Buffer.from('body');
  const headers: Record<string, string> = { tenant: 'blue' };
  const counts = { attempt: 1, postpones: 0, firstFailedAt: null as number | null };
  const sketch = entry('a', { headers, counts });
  const sending = driver.send([{ ...sketch, message: { ...sketch.message, body } }]);
  body.fill(0);
  headers.tenant = 'red';
  counts.firstFailedAt = 99;
  await sending;

  const first = await takenOne(subscription);
  first.message.body.fill(1);
  Object.assign(first.message.headers, { tenant: 'green' });
  Object.assign(first.counts, { attempt: 9 });
  await settled(subscription, giveBack(first.receipt));
  const second = await takenOne(subscription);

  expect(new TextDecoder().decode(second.message.body)).toBe('body');
  expect(second.message.headers).toEqual({ tenant: 'blue' });
  expect(second.counts).toEqual({ attempt: 1, postpones: 0, firstFailedAt: null });
});
