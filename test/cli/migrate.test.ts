import { type Kysely, sql } from 'kysely';
import { beforeEach, describe, expect, test } from 'vitest';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { mysqlDatabase } from '../../src/sql/mysql-database.js';
import { describeServers } from '../servers/index.js';
import { withRights } from '../sql/with-rights.js';
import { cli } from './world.js';

await describeServers(['mariadb', 'mysql'], (_name, server) => {
  let url: string;
  beforeEach(async () => {
    url = await server().freshUrl();
  });
  const migrate = (...flags: readonly string[]) => cli(['migrate', '--queue', url, ...flags]);

  test('makes the tables of the queue and of the builds, and does nothing the second time', async () => {
    const first = await migrate();
    const second = await migrate();

    expect(first).toMatchObject({ code: exitCodes.ok, stderr: '' });
    expect(rowsOf(first.stdout)).toEqual([
      ['schema', 'step', 'state'],
      ['queue', '0001-tables', 'applied now'],
      ['queue', '0002-pauses', 'applied now'],
      ['builds', '0001-builds', 'applied now'],
    ]);
    expect(second).toMatchObject({ code: exitCodes.ok, stderr: '' });
    expect(rowsOf(second.stdout).slice(1)).toEqual([
      ['queue', '0001-tables', expect.stringMatching(/^applied \d{4}-\d\d-\d\dT.*Z$/)],
      ['queue', '0002-pauses', expect.stringMatching(/^applied \d{4}-\d\d-\d\dT.*Z$/)],
      ['builds', '0001-builds', expect.stringMatching(/^applied \d{4}-\d\d-\d\dT.*Z$/)],
    ]);
  });

  test('--status changes nothing, and exits with 4 where something is missing', async () => {
    const before = await migrate('--status');
    const again = await migrate('--status');

    for (const { code, stdout, stderr } of [before, again]) {
      expect(code).toBe(exitCodes.backend);
      expect(rowsOf(stdout).slice(1)).toEqual([
        ['queue', '0001-tables', 'missing'],
        ['queue', '0002-pauses', 'missing'],
        ['builds', '0001-builds', 'missing'],
      ]);
      expect(stderr).toMatch(/^the schema of the queue \(tables signalbox_…\) is not there; run "signalbox migrate/);
    }
    await migrate();
    expect(await migrate('--status')).toMatchObject({ code: exitCodes.ok, stderr: '' });
  });

  test('--json says the same to programs', async () => {
    const before = (await migrate('--status', '--json')).world.json;
    const ran = (await migrate('--json')).world.json;
    const after = (await migrate('--status', '--json')).world.json;

    const schema = (list: string, fields: object) => ({ list, tablePrefix: 'signalbox_', unknown: [], ...fields });
    const applied = (name: string) => ({ name, appliedAt: expect.stringMatching(/Z$/) });
    const missing = (names: string[]) => ({ state: 'older', applied: [], pending: names, ran: [] });
    const current = (names: string[], ran: string[]) => ({
      state: 'current',
      applied: names.map(applied),
      pending: [],
      ran,
    });
    const queue = ['0001-tables', '0002-pauses'];
    const builds = ['0001-builds'];
    expect(before).toEqual({
      backend: 'mysql',
      schemas: [schema('queue', missing(queue)), schema('builds', missing(builds))],
    });
    expect(ran).toEqual({
      backend: 'mysql',
      schemas: [schema('queue', current(queue, queue)), schema('builds', current(builds, builds))],
    });
    expect(after).toEqual({
      backend: 'mysql',
      schemas: [schema('queue', current(queue, [])), schema('builds', current(builds, []))],
    });
  });

  test('the prefix of the URL is that of all tables', async () => {
    url += '?tablePrefix=night_';

    expect((await migrate()).code).toBe(exitCodes.ok);

    const tables = await withDatabase(async (db) => db.introspection.getTables({ withInternalKyselyTables: true }));
    expect(tables.map(({ name }) => name)).toContain('night_builds');
    expect(tables.filter(({ name }) => !name.startsWith('night_'))).toEqual([]);
  });

  test('a schema of a newer release is left alone, with exit code 4', async () => {
    await migrate();
    await withDatabase((db) =>
      sql`insert into signalbox_queue_migrations values ('9999-later', '2030-01-01T00:00:00.000Z')`.execute(db),
    );

    const run = await migrate();
    const status = await migrate('--status');

    expect(run).toMatchObject({ code: exitCodes.backend, stdout: '' });
    expect(run.stderr).toMatch(/^signalbox: cannot migrate on mysql: .* does not know "9999-later"; use a release/);
    expect(status.code).toBe(exitCodes.backend);
    expect(rowsOf(status.stdout)).toContainEqual(['queue', '9999-later', 'of a newer release']);
  });

  test('a user who may not create tables can look, and is told who has to run it', async () => {
    const reader = await withRights(url, 'select, insert, update, delete');

    const status = await cli(['migrate', '--queue', reader, '--status']);
    const run = await cli(['migrate', '--queue', reader]);

    expect(rowsOf(status.stdout)).toContainEqual(['queue', '0001-tables', 'missing']);
    expect(run).toMatchObject({ code: exitCodes.backend, stdout: '' });
    expect(run.stderr).toMatch(/cannot migrate on mysql: .* with an account that may create and alter tables\n$/);
    expect(run.stderr + status.stderr).not.toContain(new URL(reader).password);
  });

  async function withDatabase<T>(use: (db: Kysely<unknown>) => Promise<T>): Promise<T> {
    const { db, close } = await mysqlDatabase({ url });
    return use(db).finally(close);
  }
});

describe('without a database', () => {
  test.each([
    ['memory:builds', exitCodes.unsupported, 'cannot migrate: a backend of "memory:" has no tables to migrate'],
    ['builds', exitCodes.badInput, 'cannot migrate: the URL has no scheme'],
    ['mysql://app:hunter2@db', exitCodes.badInput, 'cannot migrate on mysql: the URL names no database'],
    ['mysql://app:hunter2@db/b?tablePrefix=A', exitCodes.badInput, 'the table prefix "A" has to be'],
    ['mysql://app:hunter2@db/b?tableprefix=a', exitCodes.badInput, 'the URL has an unknown option "tableprefix"'],
    ['mysql://app:hunter2@127.0.0.1:1/b', exitCodes.backend, 'cannot migrate on mysql: the database cannot be reached'],
  ])('%s is an error that does not show it', async (url, code, text) => {
    const result = await cli(['migrate', '--queue', url]);

    expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(text) });
    expect(result.stderr).not.toContain('hunter2');
  });
});

function rowsOf(stdout: string): readonly (readonly string[])[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));
}
