import { expect, test } from 'vitest';
import {
  ack,
  drained,
  entry,
  giveBack,
  idsOf,
  isPending,
  opened,
  release,
  send,
  settled,
  subscribed,
  taken,
  takenOne,
  unhurried,
  world,
} from './world.js';

const lost = { status: 'lost' };
const done = { status: 'done' };

test('a hand-out whose lease ends comes again, in its old place, with one redelivery more', async () => {
  const { driver, clock } = await world();
  const subscription = await subscribed(driver);
  await send(driver, entry('a'), entry('b'));
  await takenOne(subscription);

  await clock.advance(29_999);
  expect(idsOf(await taken(subscription))).toEqual(['b']);
  await clock.advance(1);
  await send(driver, entry('c'));

  expect(await taken(subscription)).toMatchObject([
    { message: { id: 'a' }, redeliveries: 1 },
    { message: { id: 'c' }, redeliveries: 0 },
  ]);
});

test('who waits is woken when a lease ends, also of a hand-out made while he waited', async () => {
  const { driver, clock } = await world();
  const [holder, waiting] = [await subscribed(driver), await subscribed(driver)];
  await send(driver, entry('a', { delayMs: 10 }));
  const first = holder.receive(1, 60_000, unhurried());
  const second = waiting.receive(1, 60_000, unhurried());

  await clock.advance(10);
  expect(idsOf(await first)).toEqual(['a']);
  await clock.advance(29_999);
  expect(await isPending(second, clock)).toBe(true);
  await clock.advance(1);

  expect(await second).toMatchObject([{ message: { id: 'a' }, redeliveries: 1 }]);
});

test('a receipt whose lease ended settles and extends nothing, and the newer holder is untouched', async () => {
  const { driver, clock } = await world();
  const [old, newer] = [await subscribed(driver), await subscribed(driver)];
  await send(driver, entry('a'));
  const first = await takenOne(old);
  await clock.advance(30_000);
  const second = await takenOne(newer);

  expect(await settled(old, ack(first.receipt, [entry('outbox')]))).toEqual(lost);
  expect(await settled(old, release(first.receipt))).toEqual(lost);
  expect(await settled(old, giveBack(first.receipt))).toEqual(lost);
  expect(await old.lease?.extend([first.receipt], 60_000)).toEqual(['lost']);

  expect(await driver.admin.depth('jobs', 'default')).toMatchObject({ ready: 0, inHand: 1 });
  expect(await settled(newer, ack(second.receipt))).toEqual(done);
});

test('a lease that ended is lost even while nobody else has taken the message', async () => {
  const { driver, clock } = await world();
  const subscription = await subscribed(driver);
  await send(driver, entry('a'));
  const { receipt } = await takenOne(subscription);

  await clock.advance(30_000);

  expect(await settled(subscription, ack(receipt))).toEqual(lost);
  expect(await drained(subscription)).toEqual(['a']);
});

test('settling a second time is lost and changes nothing', async () => {
  const { driver } = await world();
  const subscription = await subscribed(driver);
  await send(driver, entry('a'));
  const { receipt } = await takenOne(subscription);

  expect(await subscription.settle([ack(receipt), ack(receipt)])).toEqual([done, lost]);
  expect(await settled(subscription, giveBack(receipt))).toEqual(lost);
  expect(await settled(subscription, giveBack({}))).toEqual(lost);
  expect(await drained(subscription)).toEqual([]);
});

test('an extended lease ends that long after the extension', async () => {
  const { driver, clock } = await world();
  const subscription = await subscribed(driver);
  await send(driver, entry('a'), entry('b'));
  const [a] = await taken(subscription);
  await clock.advance(20_000);

  expect(await subscription.lease?.extend([a?.receipt as object], 30_000)).toEqual(['done']);
  await clock.advance(29_999);
  expect(idsOf(await taken(subscription))).toEqual(['b']);
  await clock.advance(1);

  expect(idsOf(await taken(subscription))).toEqual(['a']);
});

test('a lease that is made shorter wakes who waits in time', async () => {
  const { driver, clock } = await world();
  const [holder, waiting] = [await subscribed(driver), await subscribed(driver)];
  await send(driver, entry('a'));
  const { receipt } = await takenOne(holder);
  const pending = waiting.receive(1, 60_000, unhurried());
  await clock.advance(0);

  await holder.lease?.extend([receipt], 100);
  await clock.advance(100);

  expect(idsOf(await pending)).toEqual(['a']);
});

test('each client can have a lease of its own', async () => {
  const { store, clock } = await world();
  const driver = await opened({ store, leaseMs: 500 });
  const subscription = await subscribed(driver);
  expect([driver.capabilities.lease, subscription.lease?.ms]).toEqual([{ ms: 500 }, 500]);
  await send(driver, entry('a'));
  await takenOne(subscription);

  await clock.advance(500);

  expect(idsOf(await taken(subscription))).toEqual(['a']);
});

test('redeliveries count the hand-outs without an answer since the last answer', async () => {
  const { driver, clock } = await world();
  const subscription = await subscribed(driver);
  await send(driver, entry('a'));
  const redeliveries: number[] = [];
  const takeAgain = async () => {
    const received = await takenOne(subscription);
    redeliveries.push(received.redeliveries);
    return received.receipt;
  };

  await takeAgain();
  await clock.advance(30_000);
  await takeAgain();
  await clock.advance(30_000);
  await settled(subscription, giveBack(await takeAgain()));
  await settled(subscription, release(await takeAgain()));
  await takeAgain();
  driver.cut();
  await takeAgain();

  expect(redeliveries).toEqual([0, 1, 2, 2, 0, 1]);
});

test('closing a subscription gives back at once what it holds, counted as a hand-out without an answer', async () => {
  const { driver } = await world();
  const [leaving, staying] = [await subscribed(driver), await subscribed(driver)];
  await send(driver, entry('a'), entry('b'));
  const a = await takenOne(leaving);

  await Promise.all([leaving.close(), leaving.close()]);

  expect(await leaving.settle([ack(a.receipt)])).toEqual([lost]);
  expect(await taken(staying)).toMatchObject([
    { message: { id: 'a' }, redeliveries: 1 },
    { message: { id: 'b' }, redeliveries: 0 },
  ]);
  await expect(leaving.receive(1, 0, unhurried())).rejects.toMatchObject({ code: 'closed' });
});

test('what a leaving reader held goes to one that waits', async () => {
  const { driver, clock } = await world();
  const [leaving, waiting] = [await subscribed(driver), await subscribed(driver)];
  await send(driver, entry('a'));
  await takenOne(leaving);
  const pending = waiting.receive(1, 60_000, unhurried());
  await clock.advance(0);

  await leaving.close();

  expect(idsOf(await pending)).toEqual(['a']);
});
