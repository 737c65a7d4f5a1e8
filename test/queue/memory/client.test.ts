import { type MemoryOptions, memory, memoryStore } from 'signalbox/memory';
import { expect, test } from 'vitest';
import { type DriverEvent, type Receipt, systemClock } from '../../../src/queue/driver.js';
import {
  ack,
  drained,
  entry,
  idsOf,
  isPending,
  opened,
  release,
  send,
  settled,
  subscribed,
  taken,
  takenOne,
  toDead,
  topology,
  unhurried,
  world,
} from './world.js';

const closed = { name: 'Refusal', code: 'closed' };

test('it says what it can do: everything but durability', async () => {
  expect(memory({ leaseMs: 5000 })).toMatchObject({
    name: 'memory',
    clock: systemClock,
    capabilities: {
      durable: false,
      delay: { resolutionMs: 1 },
      ordering: { keyIsolation: 'full' },
      transactions: true,
      atomicOutbox: true,
      singleWriter: false,
      lease: { ms: 5000 },
      countsRedeliveries: true,
      countsGiveBack: false,
      depth: { ready: true, delayed: true, inHand: true, dead: true, oldestAgeMs: true },
    },
  });
});

test('its clock is the clock of its store, and its name the name', async () => {
  const { store, clock } = await world();

  expect(memory({ store }).clock).toBe(clock);
  expect(memory({ store: memoryStore({ name: 'north' }) }).name).toBe('north');
});

test('options that cannot be are refused', () => {
  for (const leaseMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => memoryStore({ leaseMs })).toThrow(`leaseMs is ${leaseMs}`);
    expect(() => memory({ leaseMs })).toThrow(`leaseMs is ${leaseMs}`);
  }
  expect(() => memory({ store: {} } as unknown as MemoryOptions)).toThrow('no memory store');
  expect(() => memory({ store: memoryStore(), clock: systemClock } as unknown as MemoryOptions)).toThrow('both');
});

test('closing ends a pending receive, gives back what is in hand and leaves no timer', async () => {
  const { driver, store, clock } = await world();
  const [holding, waiting] = [await subscribed(driver), await subscribed(driver)];
  await send(driver, entry('a'));
  await takenOne(holding);
  const pending = waiting.receive(1, 60_000, unhurried());
  await clock.advance(0);

  await Promise.all([driver.close(), driver.close()]);
  await driver.close();

  expect(await pending).toEqual([]);
  expect(clock.pending).toBe(0);
  const other = await subscribed(await opened({ store }));
  expect(await taken(other)).toMatchObject([{ message: { id: 'a' }, redeliveries: 1 }]);
});

test('closing a subscription ends its pending receive at once, empty', async () => {
  const { driver, clock } = await world();
  const subscription = await subscribed(driver);
  const pending = subscription.receive(1, 60_000, unhurried());
  await clock.advance(0);

  await subscription.close();

  expect(await pending).toEqual([]);
  expect(clock.pending).toBe(0);
});

test('after closing, and before opening, every verb is refused as closed', async () => {
  const { driver } = await world();
  const subscription = await subscribed(driver);
  await driver.close();

  for (const client of [driver, memory()]) {
    const calls = [
      client.send([entry('a')]),
      client.declare({ topics: [] }, { mode: 'assert', change: false }),
      subscribed(client),
      client.admin.topics(),
      client.admin.depth('jobs', 'default'),
    ];
    for (const call of calls) await expect(call).rejects.toMatchObject(closed);
    expect(client.health()).toEqual({ connected: false, blocked: null });
    expect(() => client.cut()).toThrow('driver is');
  }
  const calls = [subscription.receive(1, 0, unhurried()), subscription.settle([]), subscription.lease?.extend([], 1)];
  for (const call of calls) await expect(call).rejects.toMatchObject(closed);
  await subscription.close();
});

test('a driver object is opened once, and one that was never opened can be closed', async () => {
  const { driver, store } = await world();
  const host = { logger: { info() {}, warn() {} }, emit() {} };
  const unopened = memory({ store });
  await unopened.close();

  for (const used of [driver, unopened]) await expect(used.open(host)).rejects.toMatchObject({ code: 'invalid' });
});

test('anything that it throws and is no refusal is a mistake in it', () => {
  expect(memory().classify(new Error('x'))).toEqual({ code: 'internal', retryable: false, outcomeUnknown: false });
});

test('a cut connection: what is in hand goes back at once, its receipts are lost, and reading goes on', async () => {
  const { store } = await world();
  const events: DriverEvent[] = [];
  const lost: Receipt[] = [];
  const driver = await opened({ store }, events);
  const subscription = await subscribed(driver, { onLost: (receipts) => lost.push(...receipts) });
  await send(driver, entry('a'), entry('b'));
  const a = await takenOne(subscription);

  driver.cut();
  driver.cut();

  expect(lost).toEqual([a.receipt]);
  expect(events.map(({ type }) => type)).toEqual(['disconnected', 'connected', 'disconnected', 'connected']);
  expect(await settled(subscription, ack(a.receipt))).toEqual({ status: 'lost' });
  expect(await taken(subscription)).toMatchObject([
    { message: { id: 'a' }, redeliveries: 1 },
    { message: { id: 'b' }, redeliveries: 0 },
  ]);
});

test('a cut connection takes nothing from another client', async () => {
  const { driver, store } = await world();
  const subscription = await subscribed(driver);
  await send(driver, entry('a'));
  const a = await takenOne(subscription);

  (await opened({ store })).cut();

  expect(await settled(subscription, ack(a.receipt))).toEqual({ status: 'done' });
});

test('a receive that was pending when the connection was cut goes on', async () => {
  const { driver, clock } = await world();
  const pending = (await subscribed(driver)).receive(1, 60_000, unhurried());
  await clock.advance(0);

  driver.cut();
  await send(driver, entry('a'));

  expect(idsOf(await pending)).toEqual(['a']);
});

test('a killed process: what it held goes to others at once, nobody is told, and no call of it ever resolves', async () => {
  const { store, clock } = await world();
  const events: DriverEvent[] = [];
  const lost: Receipt[] = [];
  const killed = await opened({ store }, events);
  const [holding, waiting] = [
    await subscribed(killed, { onLost: (receipts) => lost.push(...receipts) }),
    await subscribed(killed),
  ];
  const survivor = await subscribed(await opened({ store }));
  await send(killed, entry('a'));
  const a = await takenOne(holding);
  const pendingThere = waiting.receive(1, 60_000, unhurried());
  const pendingHere = survivor.receive(1, 60_000, unhurried());
  await clock.advance(0);

  killed.kill();

  expect(await pendingHere).toMatchObject([{ message: { id: 'a' }, redeliveries: 1 }]);
  const calls = [
    pendingThere,
    settled(holding, ack(a.receipt)),
    holding.close(),
    killed.send([entry('b')]),
    killed.admin.topics(),
    killed.close(),
  ];
  await clock.advance(120_000);
  for (const call of calls) expect(await isPending(call, clock)).toBe(true);
  expect([events, lost, clock.pending]).toEqual([[], [], 0]);
  expect(killed.health().connected).toBe(false);
});

test('a kept store can be opened again, with everything and its counts intact', async () => {
  const { driver, store, clock } = await world();
  const subscription = await subscribed(driver);
  const counts = { attempt: 3, postpones: 2, firstFailedAt: 1 };
  const nonce = 'before the restart';
  await send(driver, entry('released', { nonce }), entry('held'), entry('waits'), toDead('dead'));
  const [first] = await taken(subscription, 2);
  await settled(subscription, release(first?.receipt as object, 1000, counts));
  await driver.close();
  await clock.advance(1000);

  const again = await opened({ store });
  await again.declare({ topics: [topology()] }, { mode: 'check', change: false });
  expect(await again.send([entry('released', { nonce })])).toEqual([{ status: 'stored', groups: 1 }]);
  const received = await taken(await subscribed(again));

  expect(received).toMatchObject([
    { message: { id: 'held' }, redeliveries: 1 },
    { message: { id: 'waits' }, redeliveries: 0 },
    { message: { id: 'released' }, redeliveries: 0, counts },
  ]);
  expect(await again.admin.depth('jobs', 'default')).toMatchObject({ dead: 1, inHand: 3, ready: 0 });
});

test('delays go on while no process runs', async () => {
  const { driver, store, clock } = await world();
  await send(driver, entry('a', { delayMs: 1000 }));
  await driver.close();
  await clock.advance(1000);

  expect(await drained(await subscribed(await opened({ store })))).toEqual(['a']);
});

test('two stores know nothing of each other', async () => {
  const [one, other] = [await world(), await world()];
  await send(one.driver, entry('a'));

  expect(await drained(await subscribed(other.driver))).toEqual([]);
});
