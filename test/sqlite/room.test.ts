// Of this driver alone: a server looks after its own files. In large: npm run bench -- sqlite --only room.
import { statSync } from 'node:fs';
import Libsql from 'libsql';
import { defineTopic, openQueue, type Queue } from 'signalbox';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { TemporaryFolder } from './temporary-folder.js';

const topic = defineTopic('jobs', { schema: z.object({ note: z.string() }) });
const note = 'n'.repeat(10_000);
const mebibyte = 1024 * 1024;
let folder: TemporaryFolder;
beforeEach(() => {
  folder = new TemporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

const size = (end = ''): number => statSync(`${folder.file}${end}`, { throwIfNoEntry: false })?.size ?? 0;

test('a file gives back the room of what was consumed', async () => {
  await using queue = await openQueue(`sqlite:${folder.file}?synchronous=normal`, { topics: [topic] });
  await publishMany(queue, 6_000);
  const full = size();
  let handled = 0;

  await queue.consume(topic, () => void handled++, { concurrency: 64 });

  await expect.poll(() => handled, { timeout: 60_000 }).toBe(6_000);
  await expect.poll(() => size(), { timeout: 20_000 }).toBeLessThan(20 * mebibyte);
  expect(full).toBeGreaterThan(50 * mebibyte);
}, 120_000);

test('what is published and consumed all the while uses the same room again', async () => {
  await using queue = await openQueue(`sqlite:${folder.file}?synchronous=normal`, { topics: [topic] });
  let handled = 0;
  await queue.consume(topic, () => void handled++, { concurrency: 64 });

  for (let round = 1; round <= 20; round++) {
    await publishMany(queue, 500);
    await expect.poll(() => handled, { timeout: 30_000, interval: 20 }).toBe(500 * round);
  }

  expect(size()).toBeLessThan(20 * mebibyte);
}, 120_000);

test('the log stays short while others read all the while, and is cut when one that read for long is done', async () => {
  await using queue = await openQueue(`sqlite:${folder.file}?synchronous=normal`, { topics: [topic] });
  const others = Array.from({ length: 4 }, () => new Libsql(folder.file));
  const reading = setInterval(() => {
    for (const other of others) other.prepare('select count(*) from signalbox_messages').all();
  }, 5);

  await publishMany(queue, 5_000);
  expect(size('-wal')).toBeLessThan(24 * mebibyte);
  const long = new Libsql(folder.file);
  long.exec('begin');
  long.prepare('select count(*) from signalbox_messages').all();
  await publishMany(queue, 5_000);
  expect(size('-wal')).toBeGreaterThan(32 * mebibyte);

  long.exec('commit');
  long.close();
  await publishMany(queue, 500);

  await expect
    .poll(
      async () => {
        await queue.publish(topic, { note: '' });
        return size('-wal');
      },
      { timeout: 20_000, interval: 200 },
    )
    .toBeLessThanOrEqual(24 * mebibyte);
  clearInterval(reading);
  for (const other of others) other.close();
}, 120_000);

async function publishMany(queue: Queue, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent += 100) {
    await queue.publishBatch(
      topic,
      Array.from({ length: 100 }, () => ({ body: { note } })),
    );
  }
}
