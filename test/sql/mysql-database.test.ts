import { type Kysely, sql } from 'kysely';
import { createConnection } from 'mysql2/promise';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type MysqlDatabase, mysqlDatabase, type OwnPoolOptions } from '../../src/sql/mysql-database.js';
import { describeServers } from '../servers/index.js';

await describeServers(['mariadb', 'mysql'], (_name, server) => {
  let url: string;
  let opened: MysqlDatabase | null;
  const open = async (options: OwnPoolOptions): Promise<Kysely<unknown>> => {
    opened = await mysqlDatabase({ url }, options);
    return opened.db;
  };

  beforeEach(async () => {
    url = await server().freshUrl();
    opened = null;
  });
  const close = async (): Promise<void> => {
    const one = opened;
    opened = null;
    await one?.close();
  };
  afterEach(close);

  test('a statement that takes longer than it may is given up, and the next one has its own answer', async () => {
    const db = await open({ connections: 1, statementTimeoutMs: 300 });

    const slow = sql`select sleep(5) as answer`.execute(db);
    const next = sql<{ answer: number }>`select 7 as answer`.execute(db);

    await expect(slow).rejects.toMatchObject({ code: 'PROTOCOL_SEQUENCE_TIMEOUT' });
    expect((await next).rows).toEqual([{ answer: 7 }]);
  });

  test('closing ends the connections', async () => {
    const db = await open({ connections: 3 });
    await Promise.all(Array.from({ length: 3 }, () => sql`select sleep(0.1)`.execute(db)));

    await close();

    await expect.poll(() => connectionsTo(url)).toBe(0);
    await expect(sql`select 1`.execute(db)).rejects.toThrow();
  });

  test('closing waits for no statement that does not end', async () => {
    const db = await open({ connections: 1 });
    const endless = sql`select sleep(60)`.execute(db).catch((error: unknown) => error);
    // Connected is not enough: the statement is sent afterwards.
    await expect.poll(() => connectionsTo(url, "state = 'User sleep'")).toBe(1);

    await close();

    expect(await endless).toMatchObject({ code: 'PROTOCOL_CONNECTION_LOST' });
  });

  test('after the server has ended its connections, the next statement makes a new one', async () => {
    const db = await open({ connections: 1 });
    const { rows } = await sql<{ id: number }>`select connection_id() as id`.execute(db);
    const admin = await createConnection(url);

    await admin.query(`kill ${rows[0]?.id}`);
    await admin.end();

    await expect.poll(() => sql`select 1 as answer`.execute(db).then(({ rows }) => rows)).toEqual([{ answer: 1 }]);
  });
});

/** How many others are connected to the database of this URL, and in this state. */
async function connectionsTo(url: string, state = 'true'): Promise<number> {
  const admin = await createConnection(url);
  const [rows] = await admin.query(
    `select count(*) as others from information_schema.processlist
     where db = database() and id <> connection_id() and ${state}`,
  );
  await admin.end();
  return Number((rows as { others: number }[])[0]?.others);
}
