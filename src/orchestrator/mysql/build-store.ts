import type { Kysely, RawBuilder } from 'kysely';
import { Refusal } from '../../queue/driver.js';
import { defaultTablePrefix, tablePrefixFault } from '../../sql/migration.js';
import { type MysqlSource, mysqlDatabase } from '../../sql/mysql-database.js';
import { classifyMysql } from '../../sql/mysql-errors.js';
import { mysqlFailure } from '../../sql/mysql-failure.js';
import { mysqlSchema } from '../../sql/mysql-schema.js';
import { readMysqlTablesUrl } from '../../sql/mysql-url.js';
import { requireSchema } from '../../sql/require-schema.js';
import type { Build } from '../build.js';
import type { BuildStore } from '../build-store.js';
import { buildStoreOn } from '../sql/build-store-on.js';
import type { BuildTable } from '../sql/build-table.js';
import { buildMigrationList } from './migrations.js';
import { type BuildRow, buildStatements } from './statements.js';

/** The database, and how its tables are called and made. Of a URL's own options, those of the queue mean nothing here. */
export type MysqlBuildStoreOptions = MysqlSource & {
  /** In front of the tables' names. Default: what the URL says, or `signalbox_`. */
  readonly tablePrefix?: string | undefined;
  /**
   * Whether tables are made where there are none; tables of an older release are changed by `signalbox migrate` alone. Default:
   * what the URL says, or true.
   */
  readonly createTables?: boolean | undefined;
};

/** A statement that takes longer met a half-open connection, or somebody's lock. */
const statementTimeoutMs = 20_000;

/**
 * Builds in a table of MySQL 8.0 or MariaDB 10.6 and newer: they outlive their orchestrator, and several may share them. Rejects
 * with `invalid` for bad options, `topology-mismatch` for a schema that does not fit, and with what the database answers.
 *
 * Every verb is one statement, or two where a record was there before, and the store repeats none: an error with
 * `outcomeUnknown` may have been a write. A pool or a Kysely instance stays the caller's; `close` ends what a URL opened.
 */
export async function mysqlBuildStore(options: MysqlBuildStoreOptions): Promise<BuildStore> {
  try {
    const { tablePrefix, createTables } = settingsOf(options);
    await checkSchema(options, tablePrefix, createTables);
    const { db, close } = await mysqlDatabase(options, { statementTimeoutMs });
    return buildStoreOn(tableOn(db, tablePrefix, close), mysqlFailure);
  } catch (error) {
    throw mysqlFailure('open a build store', error);
  }
}

function settingsOf(options: MysqlBuildStoreOptions): { readonly tablePrefix: string; readonly createTables: boolean } {
  const inUrl =
    'url' in options ? readMysqlTablesUrl(options.url) : { tablePrefix: undefined, createTables: undefined };
  for (const name of ['tablePrefix', 'createTables'] as const) {
    if (options[name] === undefined || inUrl[name] === undefined) continue;
    throw new Refusal('invalid', `${name} is given in the URL and beside it`, 'leave one of them out');
  }
  const tablePrefix = options.tablePrefix ?? inUrl.tablePrefix ?? defaultTablePrefix;
  const fault = tablePrefixFault(tablePrefix);
  if (fault !== null) throw new Refusal('invalid', `the table prefix "${tablePrefix}" ${fault}`, 'choose another one');
  return { tablePrefix, createTables: options.createTables ?? inUrl.createTables ?? true };
}

/** On a connection of its own where there is a URL: a migration may take longer than any other statement may. */
async function checkSchema(source: MysqlSource, tablePrefix: string, create: boolean): Promise<void> {
  const { db, close } = await mysqlDatabase(source, { connections: 1 });
  try {
    await requireSchema(db, buildMigrationList(tablePrefix), mysqlSchema, { create, classify: classifyMysql });
  } finally {
    await close();
  }
}

function tableOn(db: Kysely<unknown>, tablePrefix: string, close: () => Promise<void>): BuildTable {
  const statements = buildStatements(tablePrefix);
  const first = async (statement: RawBuilder<BuildRow>): Promise<Build | null> => {
    const { rows } = await statement.execute(db);
    return rows[0] === undefined ? null : buildOf(rows[0]);
  };
  return {
    async insertUnlessThere(build) {
      try {
        await statements.insert(build).execute(db);
        return null;
      } catch (error) {
        // Not INSERT IGNORE: that takes a row which does not fit its columns, too, and cuts it.
        if (!isDuplicate(error)) throw error;
        const standing = await first(statements.load(build.requestId));
        if (standing === null) throw error;
        return standing;
      }
    },
    load: (requestId) => first(statements.load(requestId)),
    loadByBuildId: (id) => first(statements.loadByBuildId(id)),
    async replace(build) {
      const { numAffectedRows = 0n } = await statements.replace(build).execute(db);
      return numAffectedRows === 1n;
    },
    async list(query, after) {
      const { rows } = await statements.list(query, after).execute(db);
      return rows.map(buildOf);
    },
    close,
  };
}

const duplicateEntry = 1062;

function isDuplicate(error: unknown): boolean {
  return (error as { errno?: unknown } | null)?.errno === duplicateEntry;
}

function buildOf({ document }: BuildRow): Build {
  return JSON.parse(Buffer.from(document).toString('utf8')) as Build;
}
