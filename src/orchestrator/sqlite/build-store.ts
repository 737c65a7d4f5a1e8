import { Refusal } from '../../queue/driver.js';
import { openSqliteTables } from '../../sql/open-sqlite-tables.js';
import { sqliteFailure } from '../../sql/sqlite-failure.js';
import {
  type SqliteTableOptions,
  type SqliteTableSettings,
  sqliteTableOptions,
  sqliteTableSettings,
} from '../../sql/sqlite-settings.js';
import type { SqliteTables } from '../../sql/sqlite-tables.js';
import { readSqliteUrl } from '../../sql/sqlite-url.js';
import type { BuildStore } from '../build-store.js';
import { buildStoreOn } from '../sql/build-store-on.js';
import type { BuildTable } from '../sql/build-table.js';
import { buildMigrationList } from './migrations.js';
import { insertUnlessThere, list, load, loadByBuildId, replace } from './statements.js';

/** The file, by its path or by the URL of a queue, and how its tables are called and made. What only a queue has means nothing here. */
export type SqliteBuildStoreOptions =
  | SqliteTableOptions
  | ({ readonly url: string } & {
      readonly [name in Exclude<keyof SqliteTableOptions, 'path'>]?: SqliteTableOptions[name];
    });

/**
 * Builds in a table of an SQLite file, by default the queue's own: they outlive their orchestrator, and several processes
 * may share them. A process has a file open once, so builds and messages are written together. Rejects with `invalid` for bad
 * options, `topology-mismatch` for a schema that does not fit, and with what the file's driver would say.
 */
export async function sqliteBuildStore(options: SqliteBuildStoreOptions): Promise<BuildStore> {
  let path: string | null = null;
  try {
    const settings = settingsOf(options);
    path = settings.path;
    const tables = await openSqliteTables(settings, buildMigrationList(settings.tablePrefix));
    return buildStoreOn(tableIn(tables), (operation, error) => sqliteFailure(settings.path, operation, error));
  } catch (error) {
    throw sqliteFailure(path, 'open a build store', error);
  }
}

function settingsOf(options: SqliteBuildStoreOptions): SqliteTableSettings {
  const given: Record<string, unknown> = { ...options };
  const known: readonly string[] = ['url', ...sqliteTableOptions];
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new Refusal('invalid', `unknown option ${JSON.stringify(unknown)}`, `there are ${known.join(', ')}`);
  }
  if (given.url === undefined) return sqliteTableSettings(given);
  const inUrl: Record<string, unknown> = { ...readSqliteUrl(String(given.url)) };
  const twice = sqliteTableOptions.find((name) => given[name] !== undefined && inUrl[name] !== undefined);
  if (twice !== undefined) {
    throw new Refusal('invalid', `${twice} is given in the URL and beside it`, 'leave one of them out');
  }
  return sqliteTableSettings({ ...inUrl, ...given });
}

function tableIn(tables: SqliteTables): BuildTable {
  return {
    insertUnlessThere: (build) => tables.write(() => insertUnlessThere(build)),
    load: (requestId) => tables.read(() => load(requestId)),
    loadByBuildId: (id) => tables.read(() => loadByBuildId(id)),
    replace: (build) => tables.write(() => replace(build)),
    list: (query, after) => tables.read(() => list(query, after)),
    close: async () => tables.file.leave(),
  };
}
