// Of this driver alone: any program may insert a message, as the user's page says.
import { readFileSync } from 'node:fs';
import Libsql from 'libsql';
import { defineTopic, openQueue } from 'signalbox';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { consumeAll, OnAFile, readerOf } from './on-a-file.js';
import { TemporaryFolder } from './temporary-folder.js';

const [, statement = ''] =
  /## Foreign messages[\s\S]*?```sql\n([\s\S]*?)```/.exec(readFileSync('docs/sqlite.md', 'utf8')) ?? [];

test('a message that is inserted as documented is ready, as old as it is, and served', async () => {
  using folder = new TemporaryFolder();
  const greetings = defineTopic('greetings', { schema: z.object({ hello: z.string() }) });
  await using queue = await openQueue(`sqlite:${folder.file}`, { topics: [greetings] });
  const database = new Libsql(folder.file, { timeout: 5_000 });

  database.exec(statement);
  database.close();

  const { ready, oldestAgeMs } = await queue.admin.depth(greetings);
  expect(ready).toBe(1);
  expect(oldestAgeMs).toBeLessThan(60_000);
  const handled: string[] = [];
  await queue.consume(greetings, ({ message }) => void handled.push(message.body.hello));
  await expect.poll(() => handled).toEqual(['world']);
});

test.each([
  ['not json', 'its headers are no JSON object of strings'],
  ['null', 'its headers are no JSON object of strings'],
  ['["a"]', 'its headers are no JSON object of strings'],
  ['{"a":1,"b":"c"}', 'its header "a" is no string'],
])('one whose headers are %s becomes a dead letter, and its neighbours are served', async (headers, fault) => {
  using folder = new TemporaryFolder();
  const greetings = defineTopic('greetings', { schema: z.object({ hello: z.string() }) });
  await using queue = await openQueue(`sqlite:${folder.file}`, { topics: [greetings] });
  await queue.publish(greetings, { hello: 'before' });
  const database = new Libsql(folder.file, { timeout: 5_000 });
  database.exec(statement);
  database.prepare("update signalbox_messages set headers = ? where body like '%world%'").run([headers]);
  database.close();
  await queue.publish(greetings, { hello: 'after' });
  const handled: string[] = [];

  await queue.consume(greetings, ({ message }) => void handled.push(message.body.hello));

  const letters = queue.admin.deadLetters(greetings);
  await expect
    .poll(async () => (await letters.list()).letters)
    .toMatchObject([{ death: { cause: 'undecodable', reason: fault } }]);
  await expect.poll(() => handled).toEqual(['before', 'after']);
});

test('one whose place is below zero is served as well, by a topic in order, too', async () => {
  await using file = new OnAFile();
  const driver = await file.driver();
  const database = new Libsql(file.path, { timeout: 5_000 });
  database.exec(`insert into signalbox_messages (group_id, message_id, place, body)
    select group_id, name, -5, cast('{}' as blob) from signalbox_groups`);
  database.close();

  for (const topic of ['plain', 'keyed'] as const) {
    expect(await consumeAll(await readerOf(driver, topic), 10)).toEqual(['default']);
  }
});
