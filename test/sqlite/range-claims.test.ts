// Of this driver alone: a claim of an unordered group is one row for a range of its line, until something holds for a part of it.
import Libsql from 'libsql';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type DriverSubscription,
  freshCounts,
  type Received,
  type Settlement,
  type SettleResult,
} from '../../src/queue/driver.js';
import { SqliteDriver } from '../../src/queue/sqlite/driver.js';
import { settingsOf } from '../../src/queue/sqlite/options.js';
import { consumeAll, entry, OnAFile, readerOf, take } from './on-a-file.js';

let file: OnAFile;
let driver: SqliteDriver;
let reader: DriverSubscription;
let other: DriverSubscription;
let database: InstanceType<typeof Libsql>;
beforeEach(async () => {
  file = new OnAFile();
  driver = await file.driver();
  [reader, other] = [await readerOf(driver, 'plain'), await readerOf(driver, 'plain')];
  database = new Libsql(file.path, { timeout: 5_000 });
});
afterEach(async () => {
  database.close();
  await file[Symbol.asyncDispose]();
});

const publish = (...ids: readonly string[]) => driver.send(ids.map((id) => entry('plain', id)));
const idsOf = (received: readonly Received[]) => received.map(({ message }) => message.id);
const each = (kind: 'ack' | 'give-back', received: readonly Received[]): readonly Settlement[] =>
  received.map(({ receipt }) => (kind === 'ack' ? { kind, receipt, outbox: [] } : { kind, receipt }));
const statuses = (results: readonly SettleResult[]) => results.map(({ status }) => status);
const claims = () => database.prepare('select token, first_place, last_place from signalbox_claims').all([]);
const extend = (received: readonly Received[], ms: number) =>
  reader.lease?.extend(
    received.map(({ receipt }) => receipt),
    ms,
  );

test('a claim leaves its messages as they are, and is gone with the last of them', async () => {
  await publish('a', 'b', 'c');

  const received = await take(reader, 10);

  expect(database.prepare('select distinct state from signalbox_messages').all([])).toEqual([{ state: 0 }]);
  expect(claims()).toHaveLength(1);
  await reader.settle(each('ack', received.slice(1)));
  expect(claims()).toHaveLength(1);
  await reader.settle(each('ack', received.slice(0, 1)));
  expect(claims()).toEqual([]);
});

test('an extension of all that is left of a claim is one of the claim; of a part, the rest comes again at its own end', async () => {
  await publish('a', 'b', 'c', 'd');
  const received = await take(reader, 10);
  const { ms } = reader.lease as { ms: number };
  await reader.settle(each('ack', received.slice(3)));

  await file.clock.advance(ms / 2);
  expect(await extend(received.slice(0, 3), ms)).toEqual(['done', 'done', 'done']);
  expect(claims()).toHaveLength(1);
  await file.clock.advance(ms / 2);
  expect(await take(other, 10)).toEqual([]);
  expect(await extend(received.slice(1, 2), ms)).toEqual(['done']);
  await file.clock.advance(ms / 2);

  const again = await take(other, 10);
  expect(idsOf(again)).toEqual(['a', 'c']);
  expect(again.map(({ redeliveries }) => redeliveries)).toEqual([1, 1]);
  expect(await extend(received, ms)).toEqual(['lost', 'done', 'lost', 'lost']);
  expect(statuses(await reader.settle(each('ack', received)))).toEqual(['lost', 'done', 'lost', 'lost']);
});

test('what is given back is served before what was never claimed, and acked with it', async () => {
  await publish('a', 'b', 'c', 'd');
  const received = await take(reader, 3);
  await reader.settle(each('give-back', received.slice(1)));

  const mixed = await take(other, 10);

  expect(idsOf(mixed)).toEqual(['b', 'c', 'd']);
  expect(mixed.map(({ redeliveries }) => redeliveries)).toEqual([0, 0, 0]);
  expect(statuses(await other.settle(each('ack', mixed)))).toEqual(['done', 'done', 'done']);
  expect(statuses(await reader.settle(each('ack', received)))).toEqual(['done', 'lost', 'lost']);
  expect(database.prepare('select count(*) as n from signalbox_messages').all([])).toEqual([{ n: 0 }]);
});

test('depth counts what a claim of a range holds, and what its lease has left', async () => {
  await publish('a', 'b', 'c');
  const { ms } = reader.lease as { ms: number };
  await take(reader, 2);
  expect(await driver.admin.depth('plain', 'default')).toMatchObject({ ready: 1, inHand: 2 });

  await file.clock.advance(ms);

  expect(await driver.admin.depth('plain', 'default')).toMatchObject({ ready: 3, inHand: 0, oldestAgeMs: ms });
  expect(await consumeAll(other, 10)).toEqual(['a', 'b', 'c']);
});

test('a foreign message without a place is served next, however far the line was claimed', async () => {
  await publish('a', 'b', 'c');
  await take(reader, 2);
  database.exec(`insert into signalbox_messages (group_id, message_id, body)
    select group_id, 'foreign', cast('{}' as blob) from signalbox_groups join signalbox_topics using (topic_id)
    where signalbox_topics.name = 'plain'`);
  expect(await driver.admin.depth('plain', 'default')).toMatchObject({ ready: 2, inHand: 2 });

  const foreign = await take(other, 1);
  await other.settle(each('give-back', foreign));

  expect(idsOf(foreign)).toEqual(['foreign']);
  expect(await consumeAll(other, 10)).toEqual(['foreign', 'c']);
});

test('a place that was never given out holds up nothing that is published after it was served', async () => {
  await publish('a');
  database.exec('update signalbox_messages set place = 1000000');

  expect(await consumeAll(reader, 10)).toEqual(['a']);
  await publish('b', 'c');

  expect(await driver.admin.depth('plain', 'default')).toMatchObject({ ready: 2, inHand: 0 });
  expect(await consumeAll(reader, 10)).toEqual(['b', 'c']);
});

test('what is claimed while it is drained stays in the hand of its claim', async () => {
  await publish('a', 'b', 'c');
  let claimed: readonly Received[] = [];

  await driver.admin.drain?.('plain', 'default', 2, async () => {
    claimed = await take(reader, 1);
  });

  expect(idsOf(claimed)).toEqual(['a']);
  expect(statuses(await reader.settle(each('ack', claimed)))).toEqual(['done']);
  expect(await consumeAll(other, 10)).toEqual(['c']);
});

test('who drains finds what was given back, at its place', async () => {
  await publish('a', 'b', 'c');
  await reader.settle(each('give-back', await take(reader, 2)));
  const kept: unknown[] = [];

  await driver.admin.drain?.('plain', 'default', 10, async (waiting) => {
    kept.push(...waiting.map(({ message }) => message.id));
  });

  expect(kept).toEqual(['a', 'b', 'c']);
  expect(await consumeAll(other, 10)).toEqual([]);
});

test('what a driver held that was killed is there for the next one at once, counted', async () => {
  await publish('a', 'b', 'c');
  // Not one of the file's own: whoever was killed is never closed.
  const victim = new SqliteDriver(settingsOf({ path: file.path, clock: file.clock }));
  await victim.open({ logger: { info() {}, warn() {} }, emit() {} });
  await take(await readerOf(victim, 'plain'), 2);

  victim.kill();

  const received = await take(await readerOf(await file.driver(), 'plain'), 10);
  expect(received.map(({ message, redeliveries }) => [message.id, redeliveries])).toEqual([
    ['a', 1],
    ['b', 1],
    ['c', 0],
  ]);
});

test('nothing is left of the claims of a group that is removed', async () => {
  await publish('a', 'b');
  const received = await take(reader, 2);

  await driver.admin.removeGroup('plain', 'default');

  expect(claims()).toEqual([]);
  expect(database.prepare('select count(*) as n from signalbox_messages').all([])).toEqual([{ n: 0 }]);
  expect(statuses(await reader.settle(each('ack', received)))).toEqual(['lost', 'lost']);
});

test('whoever still holds something of a group that is removed keeps nothing that is delayed there from becoming a lost letter', async () => {
  await publish('a');
  await driver.send([entry('plain', 'later', { delayMs: 1_000 })]);
  const [received] = await take(reader, 1);
  await driver.admin.removeGroup('plain', 'default');

  await file.clock.advance(1_000);
  const release = { kind: 'release', delayMs: 0, counts: freshCounts, receipt: received?.receipt as object } as const;
  expect(statuses(await reader.settle([release]))).toEqual(['lost']);

  const { letters } = await driver.admin.letters({ kind: 'lost' }, { limit: 10, cursor: null });
  expect(letters.map(({ message }) => message.id)).toEqual(['later']);
});

test('what is settled, extended or given back once its group is removed is lost, before all of it is deleted as well', async () => {
  await publish('a', 'b', 'c', 'd');
  const received = await take(reader, 4);

  const [, acked, released, extended] = await Promise.all([
    driver.admin.removeGroup('plain', 'default'),
    reader.settle(each('ack', received.slice(0, 2))),
    reader.settle(each('give-back', received.slice(2, 3))),
    extend(received.slice(3), 1_000),
  ]);

  expect(statuses([...acked, ...released])).toEqual(['lost', 'lost', 'lost']);
  expect(extended).toEqual(['lost']);
  expect(database.prepare('select count(*) as n from signalbox_messages').all([])).toEqual([{ n: 0 }]);
});

test('what whoever removed a group could not delete is deleted when it is removed again', async () => {
  await publish('a', 'b');
  await take(reader, 1);
  // As if its process had been killed behind the first of its transactions.
  database.exec(`update signalbox_groups set removed = 1 where name = 'default';
    update signalbox_state set topology_version = topology_version + 1`);

  await driver.admin.removeGroup('plain', 'default');

  expect(claims()).toEqual([]);
  expect(database.prepare('select count(*) as n from signalbox_messages').all([])).toEqual([{ n: 0 }]);
});

test('a time is handed over with all its digits', async () => {
  const publishedAt = 1_764_333_862_345.1233;
  const { message, ...send } = entry('plain', 'a');
  await driver.send([{ ...send, message: { ...message, publishedAt } }]);

  const [received] = await take(reader, 1);

  expect(received?.message.publishedAt).toBe(publishedAt);
});
