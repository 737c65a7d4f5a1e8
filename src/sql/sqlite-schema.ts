import { Kysely, SqliteAdapter, SqliteDialect, SqliteIntrospector, SqliteQueryCompiler, sql } from 'kysely';
import { driverOver } from './driver-over.js';
import type { SchemaBackend } from './schema-backend.js';
import { SqliteConnection } from './sqlite-connection.js';
import { isBusy } from './sqlite-errors.js';
import { pastLocks } from './sqlite-lock.js';

export interface SqliteMigrating {
  readonly db: Kysely<unknown>;
  readonly schema: SchemaBackend;
  close(): Promise<void>;
}

/**
 * A file for kysely's migrator: on a connection of its own, since a migration goes over many turns
 * of the event loop and holds the lock all the while. Its turn is that lock: all steps are one transaction, and a process that dies while
 * migrating leaves nothing half done.
 */
export function sqliteMigrating(path: string): SqliteMigrating {
  const connection = new SqliteConnection(path);
  const db = new Kysely<unknown>({ dialect: new SqliteDialect({ database: connection.library as never }) });
  return {
    db,
    schema: schemaOn(connection),
    close: async () => {
      connection.close();
    },
  };
}

function schemaOn(own: SqliteConnection): SchemaBackend {
  return {
    async hasTable(db, table) {
      const { rows } = await sql`select 1 from sqlite_master where type = 'table' and name = ${table}`.execute(db);
      return rows.length > 0;
    },

    exclusively: (db, _name, timeoutMs, use) =>
      db.getExecutor().provideConnection(async (connection) => {
        if (!(await beginsWithin(own, timeoutMs))) return 'busy';
        try {
          const answer = await use(connection);
          // What a full disk has undone is undone; `use` has said so.
          if (own.inTransaction) own.exec('commit');
          return answer;
        } catch (error) {
          if (own.inTransaction) own.exec('rollback');
          throw error;
        }
      }),

    dialectOver: (connection) => ({
      createAdapter: () => new AdapterWithoutLock(),
      createDriver: () => driverOver(connection),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    }),
  };
}

async function beginsWithin(connection: SqliteConnection, timeoutMs: number): Promise<boolean> {
  try {
    await pastLocks(timeoutMs, () => connection.exec('begin immediate'));
    return true;
  } catch (error) {
    if (isBusy((error as Error).cause)) return false;
    throw error;
  }
}

class AdapterWithoutLock extends SqliteAdapter {
  override async acquireMigrationLock(): Promise<void> {}
  override async releaseMigrationLock(): Promise<void> {}
}
