import { buildMigrationList } from '../orchestrator/sqlite/migrations.js';
import { queueMigrationList } from '../queue/sqlite/migrations/index.js';
import type { SchemaStatus } from '../sql/schema-status.js';
import { nothingApplied } from '../sql/schema-status.js';
import { classifySqlite } from '../sql/sqlite-errors.js';
import { sqliteFailure } from '../sql/sqlite-failure.js';
import { SqliteFile } from '../sql/sqlite-file.js';
import { type SqliteMigrating, sqliteMigrating } from '../sql/sqlite-schema.js';
import { type SqliteTableSettings, sqliteTableSettings } from '../sql/sqlite-settings.js';
import { readSqliteUrl } from '../sql/sqlite-url.js';
import { isThere } from './is-there.js';
import { type Schemas, schemasOn } from './schemas-on.js';

/** The tables in an SQLite file. Migrating makes the file unless it is there; looking does not. Rejects with `QueueError`. */
export async function sqliteSchemas(url: string): Promise<Schemas> {
  const settings = settingsOf(url);
  const lists = [queueMigrationList(settings.tablePrefix), buildMigrationList(settings.tablePrefix)];

  /** On a connection that is closed afterwards. */
  const using = async <T>(use: (schemas: Schemas) => Promise<T>): Promise<T> => {
    const failure = (error: unknown) => sqliteFailure(settings.path, 'migrate', error);
    const { db, schema, close } = connected(settings.path);
    const open = schemasOn({ backend: 'sqlite', db, schema, lists, classify: classifySqlite, failure, close });
    return use(open).finally(close);
  };

  return {
    backend: 'sqlite',
    statuses: async (): Promise<readonly SchemaStatus[]> =>
      isThere(settings.path) ? using((schemas) => schemas.statuses()) : lists.map(nothingApplied),
    migrate: async () => {
      const file = await opened(settings);
      return using((schemas) => schemas.migrate()).finally(() => file.leave());
    },
    close: async () => {},
  };
}

function settingsOf(url: string): SqliteTableSettings {
  try {
    const { leaseMs: _, ...options } = readSqliteUrl(url);
    return sqliteTableSettings(options);
  } catch (error) {
    throw sqliteFailure(null, 'migrate', error);
  }
}

function connected(path: string): SqliteMigrating {
  try {
    return sqliteMigrating(path);
  } catch (error) {
    throw sqliteFailure(path, 'migrate', error);
  }
}

function opened(settings: SqliteTableSettings): Promise<SqliteFile> {
  return SqliteFile.open(settings.path, settings).catch((error: unknown) => {
    throw sqliteFailure(settings.path, 'migrate', error);
  });
}
