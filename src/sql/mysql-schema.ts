import { createHash } from 'node:crypto';
import { Kysely, MysqlAdapter, MysqlIntrospector, MysqlQueryCompiler, sql } from 'kysely';
import { driverOver } from './driver-over.js';
import type { SchemaBackend } from './schema-backend.js';

/**
 * MySQL 8.0 and MariaDB 10.6 and newer. The turn of `exclusively` is a GET_LOCK: it ends with its session, so a
 * process that dies while migrating keeps nobody out. Kysely takes one too, but never looks at the answer, and
 * under one name for the whole server, where it would wait up to an hour for another application.
 */
export const mysqlSchema: SchemaBackend = {
  async hasTable(db, table) {
    const { rows } = await sql`
      select 1 from information_schema.tables
      where table_schema = database() and table_name = ${table}`.execute(db);
    return rows.length > 0;
  },

  async exclusively(db, name, timeoutMs, use) {
    if (db.isTransaction) throw new Error('cannot migrate inside a transaction: DDL would commit it');
    return db
      .withoutPlugins()
      .getExecutor()
      .provideConnection(async (connection) => {
        const session = new Kysely<unknown>({ dialect: mysqlSchema.dialectOver(connection) });
        const lock = await lockName(session, name);
        const taken = await sql<{ answer: number | null }>`
          select get_lock(${lock}, ${Math.ceil(timeoutMs / 1_000)}) as answer`.execute(session);
        const answer = taken.rows[0]?.answer ?? null;
        // Null is no time-out: the server ran out of memory, or somebody killed the statement.
        if (answer === null) throw new Error(`cannot migrate: the server could not give the lock "${lock}"; try again`);
        if (Number(answer) !== 1) return 'busy';
        try {
          return await use(connection);
        } finally {
          // A connection that broke meanwhile has let go of it already.
          await sql`select release_lock(${lock})`.execute(session).catch(() => {});
        }
      });
  },

  dialectOver: (connection) => ({
    createAdapter: () => new AdapterWithoutLock(),
    createDriver: () => driverOver(connection),
    createIntrospector: (db) => new MysqlIntrospector(db),
    createQueryCompiler: () => new MysqlQueryCompiler(),
  }),
};

/** Locks have one name space per server and at most 64 characters, so that of the database is hashed into it. */
async function lockName(session: Kysely<unknown>, name: string): Promise<string> {
  const { rows } = await sql<{ name: string | null }>`select database() as name`.execute(session);
  const database = rows[0]?.name ?? null;
  if (database === null) throw new Error('cannot migrate: the connection names no database; add one to the URL');
  return `signalbox ${createHash('sha256').update(`${database.toLowerCase()}\0${name}`).digest('hex').slice(0, 40)}`;
}

class AdapterWithoutLock extends MysqlAdapter {
  override async acquireMigrationLock(): Promise<void> {}
  override async releaseMigrationLock(): Promise<void> {}
}
