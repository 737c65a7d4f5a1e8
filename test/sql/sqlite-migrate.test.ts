// Not by the conformance suite: it knows no tables. What holds for every database is in migrate.test.ts, on servers.
import { type Kysely, sql } from 'kysely';
import Libsql from 'libsql';
import { openQueue } from 'signalbox';
import { migrations } from 'signalbox/sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { migrate } from '../../src/sql/migrate.js';
import type { Migration, MigrationList } from '../../src/sql/migration.js';
import { requireSchema } from '../../src/sql/require-schema.js';
import { schemaStatus } from '../../src/sql/schema-status.js';
import { classifySqlite } from '../../src/sql/sqlite-errors.js';
import { type SqliteMigrating, sqliteMigrating } from '../../src/sql/sqlite-schema.js';
import { TemporaryFolder } from '../sqlite/temporary-folder.js';

let folder: TemporaryFolder;
const opened: SqliteMigrating[] = [];
const open = (): SqliteMigrating => {
  const one = sqliteMigrating(folder.file);
  opened.push(one);
  return one;
};
const apply = (list: MigrationList, lockTimeoutMs = 5_000) => {
  const { db, schema } = open();
  return migrate(db, list, schema, { lockTimeoutMs });
};

beforeEach(() => {
  folder = new TemporaryFolder();
  const database = new Libsql(folder.file);
  database.exec('pragma journal_mode = wal');
  database.close();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
  folder[Symbol.dispose]();
});

test('what is missing runs in the order of its names, once, and what is added later runs later', async () => {
  const ran: string[] = [];
  const list = listOf({ '0002': told(ran, 'second'), '0001': told(ran, 'first') });

  expect(await apply(list)).toEqual({ kind: 'current', ran: ['0001', '0002'] });
  expect(await apply(list)).toEqual({ kind: 'current', ran: [] });
  expect(await apply(listOf({ ...list.steps, '0003': told(ran, 'third') }))).toEqual({
    kind: 'current',
    ran: ['0003'],
  });

  expect(ran).toEqual(['first', 'second', 'third']);
});

test('of many that migrate at once, each step is run by one, and all end with a current schema', async () => {
  const ran: string[] = [];
  const list = listOf({ '0001': alone(ran, 'one'), '0002': alone(ran, 'two') });

  const outcomes = await Promise.all(Array.from({ length: 8 }, () => apply(list)));

  expect(outcomes.map(({ kind }) => kind)).toEqual(Array(8).fill('current'));
  expect(ran).toEqual(['one begins', 'one ends', 'two begins', 'two ends']);
});

test('who waits in vain for somebody else is told so, and has changed nothing', async () => {
  const list = listOf({ '0001': nothing });
  const other = new Libsql(folder.file);
  other.exec('begin immediate');

  const outcome = await apply(list, 100);

  expect(outcome).toEqual({ kind: 'busy', waitedMs: 100 });
  other.exec('commit');
  other.close();
  expect(await apply(list)).toEqual({ kind: 'current', ran: ['0001'] });
});

test('a step that failed is named, and the next run goes on with it', async () => {
  const broken: Migration = { up: async (db) => void (await sql`create tables x`.execute(db)) };
  const first = await apply(listOf({ '0001': nothing, '0002': broken, '0003': nothing }));

  expect(first).toMatchObject({ kind: 'failed', ran: ['0001'], step: '0002' });
  expect(await apply(listOf({ '0001': nothing, '0002': nothing, '0003': nothing }))).toEqual({
    kind: 'current',
    ran: ['0002', '0003'],
  });
});

test('a migration that dies half way leaves nothing half done', async () => {
  const { db, schema } = open();
  const dying = schema.exclusively(db, 'migrate', 1_000, async (connection) => {
    await connection.executeQuery(sql`create table half (n int)`.compile(db));
    throw new Error('killed');
  });

  await expect(dying).rejects.toThrow('killed');

  expect(await schema.hasTable(db, 'half')).toBe(false);
});

describe('what is opened on', () => {
  const require = (list: MigrationList, create: boolean) => {
    const { db, schema } = open();
    return requireSchema(db, list, schema, { create, classify: classifySqlite });
  };

  test('a fresh file makes its tables, unless that is not wanted', async () => {
    const list = listOf({ '0001': nothing });

    await expect(require(list, false)).rejects.toMatchObject({ name: 'Refusal', code: 'topology-mismatch' });
    await require(list, true);
    await require(list, false);
  });

  test('tables of an older or a newer release is refused, and says what to run', async () => {
    await apply(listOf({ '0001': nothing, '0002': nothing }));

    await expect(require(listOf({ '0001': nothing }), true)).rejects.toMatchObject({
      code: 'topology-mismatch',
      message: expect.stringContaining('is newer than this release of signalbox, which does not know "0002"'),
      remedy: expect.stringContaining('use a release at least as new'),
    });
    await expect(require(listOf({ '0001': nothing, '0002': nothing, '0003': nothing }), true)).rejects.toMatchObject({
      code: 'topology-mismatch',
      message: expect.stringContaining('it lacks "0003"'),
      remedy: expect.stringContaining('signalbox migrate --queue URL'),
    });
  });
});

test('a queue of a newer release is an error that says so', async () => {
  await (await openQueue(`sqlite:${folder.file}`, { topics: [] })).close();
  const { db } = open();
  await sql`insert into signalbox_queue_migrations values ('9999-later', '2030-01-01T00:00:00.000Z')`.execute(db);

  const opening = openQueue(`sqlite:${folder.file}`, { topics: [] });

  await expect(opening).rejects.toMatchObject({ code: 'topology-mismatch', retryable: false });
  await expect(opening).rejects.toThrow(
    /newer than this release of signalbox, which does not know "9999-later"; use a/,
  );
});

test('steps can be run again over themselves, by the migrator of an application', async () => {
  const { db, schema } = open();
  for (const step of Object.values(migrations('own_'))) {
    await step.up(db);
    await step.up(db);
  }

  const queue = await openQueue(`sqlite:${folder.file}?tablePrefix=own_&createTables=false`, { topics: [] });

  await queue.close();
  expect(await schema.hasTable(db, 'own_messages')).toBe(true);
  expect(await schema.hasTable(db, 'signalbox_messages')).toBe(false);
  expect((await statusOf(db, schema)).pending).toEqual([]);
});

async function statusOf(db: Kysely<unknown>, schema: SqliteMigrating['schema']) {
  return schemaStatus(db, { name: 'queue', tablePrefix: 'own_', steps: { '0001-tables': nothing } }, schema);
}

const nothing: Migration = { up: async () => {} };

function listOf(steps: MigrationList['steps']): MigrationList {
  return { name: 'list', tablePrefix: 'test_', steps };
}

function told(ran: string[], what: string): Migration {
  return { up: async () => void ran.push(what) };
}

/** A step that takes several turns, so that two which run it at once are seen. */
function alone(ran: string[], what: string): Migration {
  return {
    async up(db) {
      ran.push(`${what} begins`);
      for (let n = 0; n < 5; n++) {
        await sql`select ${n}`.execute(db);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      ran.push(`${what} ends`);
    },
  };
}
