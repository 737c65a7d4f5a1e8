// The contract, and what only a store in a file can get wrong.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kysely, Migrator, SqliteDialect } from 'kysely';
import Libsql from 'libsql';
import { openQueue } from 'signalbox';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { buildStoreContract } from '../../src/orchestrator/index.js';
import { buildMigrations, sqliteBuildStore } from '../../src/orchestrator/sqlite/index.js';
import { listStatement } from '../../src/orchestrator/sqlite/statements.js';
import { namesOf } from '../../src/sql/sqlite-tables.js';
import { TemporaryFolder } from '../sqlite/temporary-folder.js';
import { requested, startedAt } from './requests.js';
import { using } from './using.js';

let folder: TemporaryFolder;
let path: string;
beforeEach(() => {
  folder = new TemporaryFolder();
  path = folder.file;
});
afterEach(() => folder[Symbol.dispose]());

describe('contract: the SQLite build store', () => {
  buildStoreContract({ test }, { create: () => sqliteBuildStore({ path }), connect: () => sqliteBuildStore({ path }) });
});

test('builds outlive the store that wrote them', async () => {
  const build = requested(1);
  await using(await sqliteBuildStore({ path }), (store) => store.createIfAbsent(build));

  const found = await using(await sqliteBuildStore({ url: `sqlite:${path}` }), (store) => store.load(build.requestId));

  expect(found).toEqual(build);
});

test('what is wrong with a file names it', async () => {
  writeFileSync(path, 'no database at all, but long enough to be looked at as if it were one: '.repeat(20));

  await expect(sqliteBuildStore({ path })).rejects.toMatchObject({
    code: 'invalid',
    message: `cannot open a build store on sqlite: the file is no SQLite database (${path}); give another path`,
  });
});

test('stores of two prefixes share a file and no build', async () => {
  const build = requested(1);
  await using(await sqliteBuildStore({ path, tablePrefix: 'one_' }), (store) => store.createIfAbsent(build));

  const seen = await using(await sqliteBuildStore({ path, tablePrefix: '' }), (store) => store.load(build.requestId));

  expect(seen).toBeNull();
  expect(tablesOf(path)).toEqual(expect.arrayContaining(['builds', 'one_builds']));
});

test('a store and a queue of one process share a file, whoever opens or closes it first', async () => {
  const url = `sqlite:${path}`;
  const store = await sqliteBuildStore({ url });
  const queue = await openQueue(url, { topics: [] });
  await store.createIfAbsent(requested(1));

  await queue.close();
  await store.createIfAbsent(requested(2));
  const again = await openQueue(url, { topics: [] });
  await store.close();

  expect(await again.admin.topics()).toEqual([]);
  await again.close();
  expect(await using(await sqliteBuildStore({ url }), (each) => each.load(requested(2).requestId))).not.toBeNull();
});

test('of a hundred that change one build at once, one does', async () => {
  const stores = await Promise.all([1, 2, 3, 4].map(() => sqliteBuildStore({ path })));
  await stores[0]?.createIfAbsent(requested(1));

  const writes = Array.from({ length: 100 }, (_, n) =>
    stores[n % 4]?.compareAndSet({ ...requested(1), reason: `${n}` }),
  );
  const won = (await Promise.all(writes)).filter((each) => each);

  expect(won).toHaveLength(1);
  await Promise.all(stores.map((store) => store.close()));
});

test("the application's own migrator brings the tables", async () => {
  const db = new Kysely<unknown>({ dialect: new SqliteDialect({ database: new Libsql(path) as never }) });
  const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...buildMigrations('app_') }) } });
  expect((await migrator.migrateToLatest()).error).toBeUndefined();
  await db.destroy();

  const store = await sqliteBuildStore({ path, tablePrefix: 'app_', createTables: false });

  expect(await using(store, (each) => each.createIfAbsent(requested(1)))).toMatchObject({ created: true });
});

describe('the schema', () => {
  test.each([
    ['option', (at: string) => sqliteBuildStore({ path: at, createTables: false })],
    ['URL', (at: string) => sqliteBuildStore({ url: `sqlite:${at}?createTables=false` })],
  ])('that is not there says what to run, where the %s says that none is made', async (_by, open) => {
    const opening = open(path);

    await expect(opening).rejects.toMatchObject({ code: 'topology-mismatch', retryable: false });
    await expect(opening).rejects.toThrow(
      /^cannot open a build store on sqlite: the schema of the builds \(tables signalbox_…\) is not there; run "signalbox migrate --queue URL"/,
    );
    expect(tablesOf(path)).toEqual([]);
  });

  test('that is newer than the code is refused', async () => {
    await (await sqliteBuildStore({ path })).close();
    run(path, "insert into signalbox_builds_migrations values ('0099-more', '2030-01-01T00:00:00.000Z')");

    for (const createTables of [true, false]) {
      const opening = sqliteBuildStore({ path, createTables });
      await expect(opening).rejects.toMatchObject({ code: 'topology-mismatch' });
      await expect(opening).rejects.toThrow(/is newer than this release of signalbox, which does not know "0099-more"/);
    }
  });

  test('can be made again over any half of it', async () => {
    await (await sqliteBuildStore({ path })).close();
    const whole = definitionsOf(path);

    for (const lost of tablesOf(path)) {
      run(path, `drop table ${lost}`);
      if (lost !== 'signalbox_builds_migrations') run(path, 'delete from signalbox_builds_migrations');
      await (await sqliteBuildStore({ path })).close();

      expect(definitionsOf(path)).toEqual(whole);
    }
  });
});

describe('an error', () => {
  test.each([
    [{ url: 'http://db/builds' }, 'the URL is none of SQLite'],
    [{ url: 'sqlite:x', tablePrefix: 'Upper_' }, 'the table prefix "Upper_" has to be'],
    [{ url: 'sqlite:x?tablePrefix=a_', tablePrefix: 'b_' }, 'tablePrefix is given in the URL and beside it'],
    [{ url: 'sqlite:x?createTables=no' }, 'createTables is neither true nor false'],
    [{ url: 'sqlite:x?prefix=a_' }, 'a sqlite URL has no option "prefix"'],
    [{ path: ':memory:' }, 'would be gone with its process'],
    [{ path: '' }, 'path is no path of a file'],
    [{ path: 'x', leaseMs: 7 }, 'unknown option "leaseMs"'],
  ])('of the options is told before anything is opened: %o', async (options, what) => {
    const opening = sqliteBuildStore(options as never);

    await expect(opening).rejects.toMatchObject({ code: 'invalid' });
    await expect(opening).rejects.toThrow(what);
  });

  test('of a folder in the place of the file names it', async () => {
    await expect(sqliteBuildStore({ path: folder.path })).rejects.toMatchObject({ code: 'invalid', backend: 'sqlite' });
  });

  test('a lock that somebody holds for longer than may be waited is "unavailable", and nothing was done', async () => {
    const store = await sqliteBuildStore({ path, lockTimeoutMs: 50 });
    const other = new Libsql(path);
    other.exec('begin immediate');

    await expect(store.createIfAbsent(requested(1))).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    other.exec('commit');

    expect(await store.load(requested(1).requestId)).toBeNull();
    other.close();
    await store.close();
  });

  test('a cursor of somewhere else is invalid', async () => {
    await using(await sqliteBuildStore({ path: join(folder.path, 'other.db') }), async (store) => {
      for (const cursor of ['', 'x', '/x', '1/', '-1/x']) {
        await expect(store.list({ limit: 1, cursor })).rejects.toMatchObject({ code: 'invalid' });
      }
    });
  });
});

test('every page of 20 000 builds is read by an index and sorts nothing', async () => {
  await (await sqliteBuildStore({ path })).close();
  const database = new Libsql(path);
  database.exec('begin');
  const insert = database.prepare("insert into signalbox_builds values (?, ?, 'succeeded', ?, ?, 1, '{}')");
  for (let n = 0; n < 20_000; n++) {
    insert.run(requested(n).requestId, `b-${n}`, Number(n % 10 > 0), requested(n).createdAt);
  }
  database.exec('commit; analyze');
  const place = { createdAt: startedAt + 5_000_000, requestId: requested(5_000).requestId };

  const planOf = (query: Parameters<typeof listStatement>[0], after: typeof place | null) => {
    const { sql, parameters } = listStatement(query, after);
    const plan = database.prepare(`explain query plan ${namesOf('signalbox_')(sql)}`).all([...parameters]);
    return (plan as { detail: string }[]).map(({ detail }) => detail).join('; ');
  };

  expect(planOf({ limit: 101, announced: false }, null)).toMatch(/^SEARCH signalbox_builds USING INDEX .*by_announced/);
  expect(planOf({ limit: 101, announced: false }, place)).toMatch(
    /^SEARCH .*by_announced \(announced=\? AND \(?created_at/,
  );
  expect(planOf({ limit: 101 }, null)).toMatch(/^SCAN signalbox_builds USING INDEX .*by_age$/);
  expect(planOf({ limit: 101 }, place)).toMatch(/^SEARCH .*by_age/);
  for (const after of [null, place]) expect(planOf({ limit: 9, announced: false }, after)).not.toMatch(/TEMP/);
  database.close();
});

function run(path: string, sql: string): void {
  const database = new Libsql(path);
  database.exec(sql);
  database.close();
}

function tablesOf(path: string): readonly string[] {
  return Object.keys(definitionsOf(path)).filter((name) => !name.includes('_by_'));
}

function definitionsOf(path: string): Record<string, unknown> {
  const database = new Libsql(path);
  const rows = database.prepare("select name, sql from sqlite_master where name not like 'sqlite_%'").all() as {
    name: string;
    sql: string;
  }[];
  database.close();
  return Object.fromEntries(rows.map(({ name, sql }) => [name, sql]));
}
