import { type Kysely, Migrator, sql } from 'kysely';
import { createConnection } from 'mysql2/promise';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { migrate } from '../../src/sql/migrate.js';
import type { Migration, MigrationList } from '../../src/sql/migration.js';
import { migrationsFor } from '../../src/sql/migrations-for.js';
import { type MysqlDatabase, mysqlDatabase } from '../../src/sql/mysql-database.js';
import { classifyMysql } from '../../src/sql/mysql-errors.js';
import { mysqlSchema } from '../../src/sql/mysql-schema.js';
import { requireSchema } from '../../src/sql/require-schema.js';
import { schemaStatus } from '../../src/sql/schema-status.js';
import { describeServers } from '../servers/index.js';
import { withRights } from './with-rights.js';

// Not by the conformance suite: it knows no tables.
await describeServers(['mariadb', 'mysql'], (_name, server) => {
  let url: string;
  const opened: MysqlDatabase[] = [];
  const database = async (at = url): Promise<Kysely<unknown>> => {
    const one = await mysqlDatabase({ url: at });
    opened.push(one);
    return one.db;
  };
  const apply = async (list: MigrationList, lockTimeoutMs = 20_000) =>
    migrate(await database(), list, mysqlSchema, { lockTimeoutMs });
  const statusOf = async (list: MigrationList) => schemaStatus(await database(), list, mysqlSchema);

  beforeEach(async () => {
    url = await server().freshUrl();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.close()));
  });

  test('what is missing runs in the order of its names, once', async () => {
    const ran: string[] = [];
    const list = listOf({ '0002': told(ran, 'second'), '0001': told(ran, 'first') });

    expect(await apply(list)).toEqual({ kind: 'current', ran: ['0001', '0002'] });
    expect(await apply(list)).toEqual({ kind: 'current', ran: [] });

    expect(ran).toEqual(['first', 'second']);
  });

  test('steps that are added later run later', async () => {
    const ran: string[] = [];
    await apply(listOf({ '0001': told(ran, 'first') }));

    const outcome = await apply(listOf({ '0001': told(ran, 'first'), '0002': told(ran, 'second') }));

    expect(outcome).toEqual({ kind: 'current', ran: ['0002'] });
    expect(ran).toEqual(['first', 'second']);
  });

  test('of many that migrate at once, each step is run by one, and all end with a current schema', async () => {
    const ran: string[] = [];
    const list = listOf({ '0001': alone(ran, 'one'), '0002': alone(ran, 'two') });

    const outcomes = await Promise.all(Array.from({ length: 8 }, () => apply(list)));

    expect(outcomes.map(({ kind }) => kind)).toEqual(Array(8).fill('current'));
    expect(ran).toEqual(['one begins', 'one ends', 'two begins', 'two ends']);
  });

  test('who waits in vain for another is told so, and has changed nothing', async () => {
    const list = listOf({ '0001': nothing });
    const { entered, leave, ended } = await holdingTheTurn();
    await entered;

    const outcome = await apply(list, 1_000);

    expect(outcome).toEqual({ kind: 'busy', waitedMs: 1_000 });
    expect((await statusOf(list)).pending).toEqual(['0001']);
    leave();
    await ended;
    expect(await apply(list, 1_000)).toEqual({ kind: 'current', ran: ['0001'] });
  });

  test('a turn ends with the connection of whoever had it', async () => {
    const list = listOf({ '0001': nothing });
    const { entered, leave, ended } = await holdingTheTurn();
    const admin = await createConnection(url);
    await admin.query(`kill ${await entered}`);

    const outcome = await apply(list, 5_000);

    expect(outcome).toEqual({ kind: 'current', ran: ['0001'] });
    leave();
    await ended;
    await admin.end();
  });

  test('a wait for the turn that is killed runs nothing: the answer is looked at', async () => {
    const ran: string[] = [];
    const list = listOf({ '0001': told(ran, 'first') });
    const { entered, leave, ended } = await holdingTheTurn();
    await entered;
    const admin = await createConnection(url);

    const waiting = apply(list, 30_000).catch((error: unknown) => ({ kind: 'rejected', error }));
    await killWaiting(admin);

    expect((await waiting).kind).toBe('rejected');
    expect(ran).toEqual([]);
    leave();
    await ended;
    await admin.end();
  });

  test('another database, or another prefix, waits for nobody', async () => {
    const { entered, leave, ended } = await holdingTheTurn();
    await entered;

    const elsewhere = await migrate(
      await database(await server().freshUrl()),
      listOf({ '0001': nothing }),
      mysqlSchema,
      {
        lockTimeoutMs: 1_000,
      },
    );
    const beside = await apply(listOf({ '0001': nothing }, 'other_'), 1_000);

    expect([elsewhere.kind, beside.kind]).toEqual(['current', 'current']);
    leave();
    await ended;
  });

  test('a step that failed half way is named, and the next run goes on with it', async () => {
    let broken = true;
    const halfWay: Migration = {
      async up(db) {
        await sql`create table if not exists half_one (n int)`.execute(db);
        if (broken) await sql`create tables half_two`.execute(db);
        await sql`create table if not exists half_two (n int)`.execute(db);
      },
    };
    const list = listOf({ '0001': nothing, '0002': halfWay, '0003': nothing });

    const first = await apply(list);
    const between = await statusOf(list);
    broken = false;
    const second = await apply(list);

    expect(first).toMatchObject({ kind: 'failed', ran: ['0001'], step: '0002', error: { errno: 1064 } });
    expect(between).toMatchObject({ applied: [{ name: '0001' }], pending: ['0002', '0003'] });
    expect(second).toEqual({ kind: 'current', ran: ['0002', '0003'] });
  });

  test('a schema with steps that this code does not know is left alone', async () => {
    const ran: string[] = [];
    await apply(listOf({ '0001': nothing, '0009': nothing }));
    const older = listOf({ '0001': nothing, '0002': told(ran, 'second') });

    const outcome = await apply(older);

    expect(outcome).toMatchObject({ kind: 'newer', status: { unknown: ['0009'], pending: ['0002'] } });
    expect(ran).toEqual([]);
  });

  test('a status is there without any right but to read', async () => {
    const list = listOf({ '0001': nothing });
    const reader = await withRights(url, 'select');

    const before = await schemaStatus(await database(reader), list, mysqlSchema);
    await apply(list);
    const after = await schemaStatus(await database(reader), list, mysqlSchema);
    const again = await migrate(await database(reader), list, mysqlSchema);

    expect(before).toMatchObject({ applied: [], pending: ['0001'], unknown: [] });
    expect(after).toMatchObject({ applied: [{ name: '0001' }], pending: [], unknown: [] });
    expect(again).toEqual({ kind: 'current', ran: [] });
  });

  test('without the right to create, what is missing is a failure of the database', async () => {
    const reader = await withRights(url, 'select, insert, update, delete');

    const outcome = await migrate(await database(reader), listOf({ '0001': nothing }), mysqlSchema);

    expect(outcome).toMatchObject({ kind: 'failed', ran: [], step: null, error: { errno: 1142 } });
  });

  test('lists of different names and prefixes know nothing of each other', async () => {
    const one = listOf({ '0001': nothing }, 'one_');
    const two = listOf({ '0001': nothing, '0002': nothing }, 'two_');

    await apply(one);

    expect((await statusOf(two)).pending).toEqual(['0001', '0002']);
    await apply(two);
    expect((await statusOf(one)).unknown).toEqual([]);
    expect((await statusOf({ ...one, name: 'other' })).pending).toEqual(['0001']);
  });

  test('a clock that is behind when a later step runs keeps nobody from going on', async () => {
    await apply(listOf({ '0001': nothing, '0002': nothing }));
    const db = await database();
    await sql`update test_list_migrations set ${sql.ref('timestamp')} = '2001-01-01T00:00:00.000Z' where name = '0002'`.execute(
      db,
    );

    const outcome = await apply(listOf({ '0001': nothing, '0002': nothing, '0003': nothing }));

    expect(outcome).toEqual({ kind: 'current', ran: ['0003'] });
  });

  describe('what is opened on', () => {
    const require = async (list: MigrationList, create: boolean) =>
      requireSchema(await database(), list, mysqlSchema, { create, classify: classifyMysql });

    test('a fresh database makes its tables, unless that is not wanted', async () => {
      const ran: string[] = [];
      const list = listOf({ '0001': told(ran, 'first') });

      await expect(require(list, false)).rejects.toMatchObject({ name: 'Refusal', code: 'topology-mismatch' });
      expect(ran).toEqual([]);
      await require(list, true);

      expect(ran).toEqual(['first']);
      await require(list, false);
    });

    test('tables of an older release leaves them to "signalbox migrate"', async () => {
      const ran: string[] = [];
      await apply(listOf({ '0001': nothing }));

      const opening = require(listOf({ '0001': nothing, '0002': told(ran, 'second') }), true);

      await expect(opening).rejects.toMatchObject({
        code: 'topology-mismatch',
        message: expect.stringContaining('is older than this release of signalbox: it lacks "0002"'),
        remedy: expect.stringContaining('signalbox migrate --queue URL'),
      });
      expect(ran).toEqual([]);
    });

    test('tables of a newer release refuses them', async () => {
      await apply(listOf({ '0001': nothing, '0002': nothing }));

      const opening = require(listOf({ '0001': nothing }), true);

      await expect(opening).rejects.toMatchObject({
        code: 'topology-mismatch',
        message: expect.stringContaining('is newer than this release of signalbox, which does not know "0002"'),
      });
    });

    test('what a step fails on names it and keeps the cause', async () => {
      const broken = listOf({ '0001': { up: async (db) => void (await sql`create tables x`.execute(db)) } });

      await expect(require(broken, true)).rejects.toMatchObject({
        code: 'internal',
        message: expect.stringContaining('its step "0001" failed'),
        cause: { errno: 1064 },
      });
    });
  });

  test("an application's own migrator can run the steps, and what it ran is seen", async () => {
    const ran: string[] = [];
    const list = listOf({ '0001': told(ran, 'first'), '0002': told(ran, 'second') });
    const own = { '2026-01-01 own': nothing, ...migrationsFor(list) };
    const migrator = new Migrator({ db: await database(), provider: { getMigrations: async () => own } });

    const { error, results } = await migrator.migrateToLatest();

    expect(error).toBeUndefined();
    expect(results?.map(({ migrationName }) => migrationName)).toEqual([
      '2026-01-01 own',
      'test_list_0001',
      'test_list_0002',
    ]);
    expect(await apply(list)).toEqual({ kind: 'current', ran: [] });
    expect(await apply(listOf({ ...list.steps, '0003': told(ran, 'third') }))).toEqual({
      kind: 'current',
      ran: ['0003'],
    });
    expect(ran).toEqual(['first', 'second', 'third']);
  });

  test('inside a transaction it refuses, as DDL would commit that', async () => {
    const db = await database();

    const migrating = db.transaction().execute((trx) => migrate(trx, listOf({ '0001': nothing }), mysqlSchema));

    await expect(migrating).rejects.toThrow('cannot migrate inside a transaction');
  });

  /** Somebody else who is migrating; `entered` resolves with the number of their connection. */
  async function holdingTheTurn() {
    const db = await database();
    let leave = (): void => {};
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    let enter: (id: number) => void;
    const entered = new Promise<number>((resolve) => {
      enter = resolve;
    });
    const ended = mysqlSchema.exclusively(db, 'migrate test_', 5_000, async (connection) => {
      const { rows } = await connection.executeQuery<{ id: number }>(sql`select connection_id() as id`.compile(db));
      enter(Number(rows[0]?.id));
      await left;
    });
    return { entered, leave, ended };
  }
});

const nothing: Migration = { up: async () => {} };

function listOf(steps: MigrationList['steps'], tablePrefix = 'test_'): MigrationList {
  return { name: 'list', tablePrefix, steps };
}

function told(ran: string[], what: string): Migration {
  return { up: async () => void ran.push(what) };
}

/** A step that takes its time, so that two which run it at once are seen. */
function alone(ran: string[], what: string): Migration {
  return {
    async up(db) {
      ran.push(`${what} begins`);
      await sql`select sleep(0.2)`.execute(db);
      ran.push(`${what} ends`);
    },
  };
}

/** Kills the statement that waits for a lock in this database, once it does. */
async function killWaiting(admin: Awaited<ReturnType<typeof createConnection>>): Promise<void> {
  for (;;) {
    const [rows] = await admin.query(
      "select id from information_schema.processlist where db = database() and state like 'User lock'",
    );
    const [waiting] = rows as { id: number }[];
    if (waiting !== undefined) return void (await admin.query(`kill query ${waiting.id}`));
  }
}
