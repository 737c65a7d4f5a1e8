// Of this driver alone: who reads from a file is known by a row in it, and nobody else tells when he is gone.
import Libsql from 'libsql';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SqliteDriver } from '../../src/queue/sqlite/driver.js';
import { entry, OnAFile, readerOf, take } from './on-a-file.js';

let file: OnAFile;
let driver: SqliteDriver;
let database: InstanceType<typeof Libsql>;
beforeEach(async () => {
  file = new OnAFile();
  driver = await file.driver();
  database = new Libsql(file.path, { timeout: 5_000 });
});
afterEach(async () => {
  database.close();
  await file[Symbol.asyncDispose]();
});

const anotherMachine = (seenAt: number): void =>
  void database
    .prepare("insert into signalbox_holders (machine, pid, started, seen_at) values ('laptop pid:[1]', 1, '', ?)")
    .run([seenAt]);
const rows = () => database.prepare('select * from signalbox_holders order by holder_id').all([]) as object[];

test('a pause does not wait for a holder of another machine that was not seen for long', async () => {
  anotherMachine(Date.now() - 60_000);
  anotherMachine(Date.now() + 60 * 60_000);

  await driver.admin.pause('plain', 'default');

  expect(await driver.admin.depth('plain', 'default')).toMatchObject({ paused: true });
});

test('it waits for one that was seen of late, until that says that it heeds it', async () => {
  anotherMachine(Date.now());
  let isPaused = false;

  const pausing = driver.admin.pause('plain', 'default').then(() => {
    isPaused = true;
  });
  await expect.poll(async () => (await driver.admin.depth('plain', 'default')).paused).toBe(true);
  // More than the second in which one that was not seen may still say so.
  await new Promise((resolve) => setTimeout(resolve, 1_500));

  expect(isPaused).toBe(false);
  database.exec(
    "update signalbox_holders set heeded = (select paused from signalbox_groups where name = 'default' and paused is not null)",
  );
  await pausing;
});

test('who only publishes or looks is no holder; who has claimed is, says so again, and has its row back when it was taken away', async () => {
  await driver.send([entry('plain', 'm')]);
  await driver.admin.topics();
  const reader = await readerOf(driver, 'plain');
  expect(rows()).toEqual([]);
  expect(await take(reader, 1)).toHaveLength(1);
  const [own] = rows();
  expect(own).toMatchObject({ pid: process.pid, heeded: '' });

  database.exec("update signalbox_holders set seen_at = 0, heeded = 'of another time'");
  await expect.poll(rows, { timeout: 5_000 }).toEqual([{ ...own, seen_at: expect.any(Number) }]);
  expect(Date.now() - Number((rows()[0] as { seen_at: number }).seen_at)).toBeLessThan(10_000);

  database.exec('delete from signalbox_holders');
  await expect.poll(rows, { timeout: 5_000 }).toEqual([{ ...own, seen_at: expect.any(Number) }]);
});

test('the row of a holder of another machine goes when it was silent for very long', async () => {
  anotherMachine(Date.now() - 60_000);
  anotherMachine(0);

  await expect.poll(rows, { timeout: 5_000 }).toHaveLength(1);
});
