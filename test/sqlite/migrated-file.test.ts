// Of this driver alone: a file that an older release has messages in hand of when it is migrated.
import Libsql from 'libsql';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { queueMigrationList } from '../../src/queue/sqlite/migrations/index.js';
import { migrate } from '../../src/sql/migrate.js';
import type { MigrationList } from '../../src/sql/migration.js';
import { sqliteMigrating } from '../../src/sql/sqlite-schema.js';
import { consumeAll, OnAFile, readerOf, take } from './on-a-file.js';

let file: OnAFile;
let database: InstanceType<typeof Libsql>;
beforeEach(() => {
  file = new OnAFile();
  database = new Libsql(file.path, { timeout: 5_000 });
  database.exec('pragma journal_mode = wal');
});
afterEach(async () => {
  database.close();
  await file[Symbol.asyncDispose]();
});

const now = queueMigrationList('signalbox_');

async function apply(list: MigrationList): Promise<void> {
  const { db, schema, close } = sqliteMigrating(file.path);
  await migrate(db, list, schema);
  await close();
}

/** As a release left it whose last step was this one: a topic of one group. */
async function fileOf(lastStep: string): Promise<void> {
  const steps = Object.fromEntries(Object.entries(now.steps).filter(([step]) => step <= lastStep));
  await apply({ ...now, steps });
  database.exec(`insert into signalbox_topics values (1, 'plain', 'none', 1, 20, '[]');
    insert into signalbox_groups (group_id, topic_id, name, patterns) values (1, 1, 'default', '["#"]')`);
}

function insert(id: string, columns: Readonly<Record<string, number>>): void {
  const names = ['group_id', 'message_id', 'headers', 'published_at', 'format', 'body', ...Object.keys(columns)];
  const values = [1, id, '{}', 0, 1, Buffer.from(id), ...Object.values(columns)];
  database
    .prepare(`insert into signalbox_messages (${names.join(', ')}) values (${names.map(() => '?').join(', ')})`)
    .run(values);
}

test('what an older release has in hand stays so until its lease ends, and comes again at its place, counted', async () => {
  await fileOf('0005-indexes-by-state');
  const end = file.clock.now() + 1_000;
  insert('a', { place: 1, state: 2, claim_token: 7, holder_id: 1, lease_ends_at: end, hand_outs: 1 });
  insert('b', { place: 2 });
  insert('c', { place: 3 });
  database.exec('update signalbox_state set last_place = 3, last_token = 7');

  await apply(now);

  const reader = await readerOf(await file.driver(), 'plain');
  expect((await take(reader, 1)).map(({ message }) => message.id)).toEqual(['b']);
  await file.clock.advance(1_000);
  const received = await take(reader, 10);
  expect(received.map(({ message, redeliveries }) => [message.id, redeliveries])).toEqual([
    ['a', 1],
    ['c', 0],
  ]);
});

test('an older release that has the file open when it is migrated can touch nothing any more', async () => {
  await fileOf('0006-range-claims');
  const first = 'select catalogue_version from signalbox_state';
  const statement = database.prepare(first);
  expect(statement.all([])).toEqual([{ catalogue_version: 0 }]);

  await apply(now);

  expect(() => statement.all([])).toThrow('no such column: catalogue_version');
  expect(() => database.prepare(first)).toThrow('no such column: catalogue_version');
});

test('what an older release gave back before a frontier is served', async () => {
  await fileOf('0006-range-claims');
  for (const place of [1, 2, 3, 4]) insert(`${place}`, { place });
  const end = file.clock.now() + 1_000;
  database.exec(`update signalbox_state set last_place = 4, last_token = 1;
    update signalbox_groups set frontier = 3;
    insert into signalbox_claims values (1, 1, 1, ${end}, 2, 2)`);

  await apply(now);

  const reader = await readerOf(await file.driver(), 'plain');
  expect(await consumeAll(reader, 10)).toEqual(['1', '3', '4']);
  await file.clock.advance(1_000);
  expect(await consumeAll(reader, 10)).toEqual(['2']);
});
