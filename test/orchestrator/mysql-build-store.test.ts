// The contract, and what only a store in a database can get wrong.
import { CamelCasePlugin, Kysely, Migrator, MysqlDialect, type RawBuilder, sql } from 'kysely';
import { createPool } from 'mysql2';
import { createConnection, createPool as createPromisePool } from 'mysql2/promise';
import { beforeEach, describe, expect, test } from 'vitest';
import { buildId } from '../../src/buildrunner/index.js';
import { type BuildStore, buildStoreContract } from '../../src/orchestrator/index.js';
import { buildMigrations, mysqlBuildStore } from '../../src/orchestrator/mysql/index.js';
import { buildStatements } from '../../src/orchestrator/mysql/statements.js';
import { triggered } from '../../src/orchestrator/transitions.js';
import { type MysqlDatabase, mysqlDatabase } from '../../src/sql/mysql-database.js';
import { describeServers } from '../servers/index.js';
import { withRights } from '../sql/with-rights.js';
import { requested, startedAt } from './requests.js';
import { using } from './using.js';

await describeServers(['mariadb', 'mysql'], (_name, server) => {
  let url: string;
  beforeEach(async () => {
    url = await server().freshUrl();
  });

  describe('contract: the MySQL build store', () => {
    buildStoreContract({ test }, { create: () => mysqlBuildStore({ url }), connect: () => mysqlBuildStore({ url }) });
  });

  test('builds outlive the store that wrote them', async () => {
    const build = requested(1);
    await using(await mysqlBuildStore({ url }), (store) => store.createIfAbsent(build));

    const found = await using(await mysqlBuildStore({ url }), (store) => store.load(build.requestId));

    expect(found).toEqual(build);
  });

  test('stores of two prefixes share a database and no build', async () => {
    const build = requested(1);
    await using(await mysqlBuildStore({ url, tablePrefix: 'one_' }), (store) => store.createIfAbsent(build));

    const seen = await using(await mysqlBuildStore({ url, tablePrefix: '' }), (store) => store.load(build.requestId));

    expect(seen).toBeNull();
    expect(await tablesOf(url)).toEqual(expect.arrayContaining(['builds', 'one_builds']));
  });

  describe("the application's own", () => {
    test('mysql2 pool serves, and is left open', async () => {
      const pool = createPool(url);

      await passesABuild(await mysqlBuildStore({ pool }));

      await expect(pool.promise().query('select 1')).resolves.toBeDefined();
      await pool.promise().end();
    });

    test('mysql2/promise pool serves, and is left open', async () => {
      const pool = createPromisePool(url);

      await passesABuild(await mysqlBuildStore({ pool }));

      await expect(pool.query('select 1')).resolves.toBeDefined();
      await pool.end();
    });

    test('pool of one connection that counts found rows, in latin1, serves', async () => {
      const pool = createPool({ uri: url, connectionLimit: 1, charset: 'latin1', flags: ['FOUND_ROWS'] });

      await passesABuild(await mysqlBuildStore({ pool }));

      await pool.promise().end();
    });

    test('Kysely instance serves, its plugins have no say, and it is left open', async () => {
      const kysely = new Kysely<{ ownTable: { id: number } }>({
        dialect: new MysqlDialect({ pool: createPool(url) }),
        plugins: [new CamelCasePlugin({ upperCase: true })],
      });

      await passesABuild(await mysqlBuildStore({ kysely }));

      expect(await tablesOf(url)).toContain('signalbox_builds');
      await expect(sql`select 1`.execute(kysely)).resolves.toBeDefined();
      await kysely.destroy();
    });

    test('migrator brings the tables, and the store needs no right but to read and write', async () => {
      const { db, close } = await mysqlDatabase({ url });
      const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...buildMigrations('app_') }) } });
      expect((await migrator.migrateToLatest()).error).toBeUndefined();
      await close();

      const worker = await withRights(url, 'select, insert, update');

      await passesABuild(await mysqlBuildStore({ url: worker, tablePrefix: 'app_' }));
      await passesABuild(await mysqlBuildStore({ url: worker, tablePrefix: 'app_', createTables: false }));
    });
  });

  describe('the schema', () => {
    test.each([
      ['option', (at: string) => mysqlBuildStore({ url: at, createTables: false })],
      ['URL', (at: string) => mysqlBuildStore({ url: `${at}?createTables=false` })],
    ])('that is not there says what to run, where the %s says that none is made', async (_by, open) => {
      const opening = open(url);

      await expect(opening).rejects.toMatchObject({ code: 'topology-mismatch', retryable: false });
      await expect(opening).rejects.toThrow(
        /^cannot open a build store on mysql: the schema of the builds \(tables signalbox_…\) is not there; run "signalbox migrate --queue URL"/,
      );
      expect(await tablesOf(url)).toEqual([]);
    });

    test('that is newer than the code is refused', async () => {
      await (await mysqlBuildStore({ url })).close();
      await withDatabase(url, (db) =>
        sql`insert into signalbox_builds_migrations values ('0099-more', '2030-01-01T00:00:00.000Z')`.execute(db),
      );

      for (const createTables of [true, false]) {
        const opening = mysqlBuildStore({ url, createTables });
        await expect(opening).rejects.toMatchObject({ code: 'topology-mismatch' });
        await expect(opening).rejects.toThrow(
          /is newer than this release of signalbox, which does not know "0099-more"/,
        );
      }
    });

    test('that the user may not make is denied, and says who should run what', async () => {
      const opening = mysqlBuildStore({ url: await withRights(url, 'select, insert, update, delete') });

      await expect(opening).rejects.toMatchObject({ code: 'denied' });
      await expect(opening).rejects.toThrow(/run "signalbox migrate --queue URL" with an account that may create/);
    });

    test('can be made again over any half of it', async () => {
      await (await mysqlBuildStore({ url })).close();
      const whole = await definitionsOf(url);

      for (const lost of await tablesOf(url)) {
        await withDatabase(url, async (db) => {
          await sql`drop table ${sql.table(lost)}`.execute(db);
          if (lost !== 'signalbox_builds_migrations') await sql`delete from signalbox_builds_migrations`.execute(db);
        });
        await (await mysqlBuildStore({ url })).close();

        expect(await definitionsOf(url)).toEqual(whole);
      }
    });

    test('can be made again over itself, and keeps its builds', async () => {
      const build = requested(1);
      await using(await mysqlBuildStore({ url }), (store) => store.createIfAbsent(build));

      await withDatabase(url, async (db) => {
        for (const step of Object.values(buildMigrations())) {
          await step.up(db);
          await step.up(db);
        }
      });

      expect(await using(await mysqlBuildStore({ url }), (store) => store.load(build.requestId))).toEqual(build);
    });
  });

  describe('an error', () => {
    test.each([
      ['wrong password', { username: 'nobody', password: 'hunter2' }, 'auth', false],
      ['unknown database', { pathname: '/no_such_database' }, 'not-found', false],
      ['refused connection', { port: '1' }, 'unavailable', true],
    ])('of opening is told by its code, without the password: %s', async (_what, spoilt, code, retryable) => {
      const opening = mysqlBuildStore({ url: Object.assign(new URL(url), spoilt).href });

      await expect(opening).rejects.toMatchObject({ code, retryable, backend: 'mysql' });
      await expect(opening).rejects.not.toThrow(/hunter2/);
    });

    test.each([
      [{ url: 'http://db/builds' }, 'the URL is none of MySQL'],
      [{ url: 'mysql://db/builds', tablePrefix: 'Upper_' }, 'the table prefix "Upper_" has to be'],
      [{ url: 'mysql://db/builds?tablePrefix=a_', tablePrefix: 'b_' }, 'tablePrefix is given in the URL and beside it'],
      [{ url: 'mysql://db/builds?createTables=no' }, 'the option "createTables" of the URL is neither true nor false'],
      [{ url: 'mysql://db/builds?prefix=a_' }, 'the URL has an unknown option "prefix"'],
    ])('of the options is told before anything is connected: %o', async (options, what) => {
      const opening = mysqlBuildStore(options);

      await expect(opening).rejects.toMatchObject({ code: 'invalid' });
      await expect(opening).rejects.toThrow(what);
    });

    test('of a connection that was killed under a statement is retryable, its outcome unknown, and the next call works', async () => {
      const store = await mysqlBuildStore({ url });
      const admin = await createConnection(url);
      await store.createIfAbsent(requested(1));
      await admin.query('lock tables signalbox_builds write');

      const writing = store.compareAndSet({ ...requested(1), reason: 'late' });
      const outcome = writing.catch((error: unknown) => error);
      await killOthers(admin);
      await admin.query('unlock tables');

      expect(await outcome).toMatchObject({ code: 'unavailable', retryable: true, outcomeUnknown: true });
      expect(await store.load(requested(1).requestId)).not.toBeNull();
      await admin.end();
      await store.close();
    });

    test('a cursor of somewhere else is invalid', async () => {
      await using(await mysqlBuildStore({ url }), async (store) => {
        for (const cursor of ['', 'x', '/x', '1/', '-1/x']) {
          await expect(store.list({ limit: 1, cursor })).rejects.toMatchObject({ code: 'invalid' });
        }
      });
    });
  });

  test('every statement on one of 20 000 builds, or on a page of them, uses its index and sorts nothing', async () => {
    await (await mysqlBuildStore({ url })).close();
    const statements = buildStatements('signalbox_');
    const place = { createdAt: startedAt + 5_000_000, requestId: requested(5_000).requestId };

    await withDatabase(url, async (db) => {
      for (let from = 0; from < 20_000; from += 1_000) await insertMany(db, from);
      await sql`analyze table signalbox_builds`.execute(db);

      expect(await planOf(db, statements.load(requested(7).requestId))).toEqual(['PRIMARY']);
      expect(await planOf(db, statements.loadByBuildId('b-7'))).toEqual(['by_build_id']);
      expect(await planOf(db, statements.replace(requested(7)))).toEqual(['PRIMARY']);
      expect(await planOf(db, statements.list({ limit: 101, announced: false }, null))).toEqual(['by_announced']);
      expect(await planOf(db, statements.list({ limit: 101, announced: false }, place))).toEqual(['by_announced']);
      expect(await planOf(db, statements.list({ limit: 101 }, null))).toEqual(['by_age']);
      expect(await planOf(db, statements.list({ limit: 101 }, place))).toEqual(['by_age']);
    });
  });
});

async function passesABuild(store: BuildStore): Promise<void> {
  const build = requested(1);
  const id = 'é 🚦 \\ "quoted"';
  await store.createIfAbsent(build);
  const named = triggered(build, { buildId: buildId(id), firstPollMs: 5_000, deadlineMs: 60_000, now: startedAt });
  const changed = await store.compareAndSet(named);

  expect(changed || (await store.load(build.requestId))?.version === 2).toBe(true);
  expect(await store.compareAndSet(named)).toBe(false);
  expect((await store.loadByBuildId(buildId(id)))?.requestId).toBe(build.requestId);
  expect((await store.createIfAbsent(build)).created).toBe(false);
  expect((await store.list({ limit: 5, cursor: null })).builds).toHaveLength(1);
  await store.close();
}

async function withDatabase<T>(url: string, use: (db: MysqlDatabase['db']) => Promise<T>): Promise<T> {
  const { db, close } = await mysqlDatabase({ url });
  try {
    return await use(db);
  } finally {
    await close();
  }
}

function tablesOf(url: string): Promise<readonly string[]> {
  return withDatabase(url, async (db) =>
    (await db.introspection.getTables({ withInternalKyselyTables: true })).map(({ name }) => name),
  );
}

async function definitionsOf(url: string): Promise<Record<string, unknown>> {
  const definitions: Record<string, unknown> = {};
  for (const name of await tablesOf(url)) {
    const { rows } = await withDatabase(url, (db) =>
      sql<Record<string, unknown>>`show create table ${sql.table(name)}`.execute(db),
    );
    definitions[name] = rows[0]?.['Create Table'];
  }
  return definitions;
}

/** Kills every other connection to this database that is at a statement, once there is one. */
async function killOthers(admin: Awaited<ReturnType<typeof createConnection>>): Promise<void> {
  for (;;) {
    const [rows] = await admin.query(
      "select id from information_schema.processlist where db = database() and id <> connection_id() and command = 'Query'",
    );
    for (const { id } of rows as { id: number }[]) await admin.query(`kill ${id}`);
    if ((rows as unknown[]).length > 0) return;
  }
}

/** A thousand builds, one in ten of them not announced yet. */
async function insertMany(db: MysqlDatabase['db'], from: number): Promise<void> {
  const rows = Array.from({ length: 1_000 }, (_, at) => {
    const { requestId, createdAt } = requested(from + at);
    return sql`(${requestId}, ${`b-${from + at}`}, 'succeeded', ${Number((from + at) % 10 > 0)}, ${createdAt}, 1, '{}')`;
  });
  await sql`insert into signalbox_builds values ${sql.join(rows)}`.execute(db);
}

/** The index of each table of a statement; rejects one that walks a table, walks an index that it could leave, or sorts. */
async function planOf(db: MysqlDatabase['db'], statement: RawBuilder<unknown>): Promise<readonly unknown[]> {
  const { rows: versions } = await sql<{ version: string }>`select version() as version`.execute(db);
  // MySQL 9 draws a tree unless told otherwise; MariaDB knows no such word.
  const explain = versions[0]?.version.includes('MariaDB') ? sql`explain` : sql`explain format=traditional`;
  const { rows } = await sql<{
    type: string;
    key: string | null;
    Extra: string | null;
  }>`${explain} ${statement}`.execute(db);
  for (const { Extra } of rows) expect(Extra ?? '').not.toMatch(/filesort|temporary/i);
  return rows.map(({ key, type }) => (type === 'ALL' ? 'the whole table' : key));
}
