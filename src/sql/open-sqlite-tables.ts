import type { MigrationList } from './migration.js';
import { requireSchema } from './require-schema.js';
import { classifySqlite } from './sqlite-errors.js';
import { SqliteFile } from './sqlite-file.js';
import { sqliteMigrating } from './sqlite-schema.js';
import type { SqliteTableSettings } from './sqlite-settings.js';
import { SqliteTables } from './sqlite-tables.js';

/**
 * Opens a file and sees to it that its tables are those of this code. Whoever gets it calls `file.leave` in the end. Rejects with a
 * refusal that says what is wrong with the file or its schema, or with what libsql throws.
 */
export async function openSqliteTables(settings: SqliteTableSettings, list: MigrationList): Promise<SqliteTables> {
  const { path, tablePrefix, createTables, patienceMs } = settings;
  const file = await SqliteFile.open(path, settings);
  try {
    const { db, schema, close } = sqliteMigrating(file.path);
    await requireSchema(db, list, schema, { create: createTables, classify: classifySqlite }).finally(close);
    return new SqliteTables(file, tablePrefix, patienceMs);
  } catch (error) {
    file.leave();
    throw error;
  }
}
