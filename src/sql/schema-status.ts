import { type Kysely, sql } from 'kysely';
import { type MigrationList, migrationTable } from './migration.js';
import type { SchemaBackend } from './schema-backend.js';

/** What a database has of a list of migrations, compared with what this code has. */
export interface SchemaStatus {
  /** Name of the list. */
  readonly list: string;
  readonly tablePrefix: string;
  /** In the order in which they run. */
  readonly applied: readonly AppliedMigration[];
  /** Steps of this code that the database lacks, in the order in which they run. */
  readonly pending: readonly string[];
  /** Steps of the database that this code does not know: a newer release has made them. */
  readonly unknown: readonly string[];
}

interface AppliedMigration {
  readonly name: string;
  /** ISO timestamp, by the clock of the process that ran it. */
  readonly appliedAt: string;
}

/** Looks, with the right to select alone, and changes nothing. Rejects with what the database answers. */
export async function schemaStatus(
  db: Kysely<unknown>,
  list: MigrationList,
  backend: SchemaBackend,
): Promise<SchemaStatus> {
  const plain = db.withoutPlugins();
  const table = migrationTable(list);
  if (!(await backend.hasTable(plain, table))) return nothingApplied(list);
  const { rows } = await sql<{
    name: string;
    timestamp: string;
  }>`select name, ${sql.ref('timestamp')} from ${sql.table(table)}`.execute(plain);
  return compared(
    list,
    rows.map(({ name, timestamp }) => ({ name, appliedAt: timestamp })),
  );
}

/** Of a database that has nothing of the list. */
export function nothingApplied(list: MigrationList): SchemaStatus {
  return compared(list, []);
}

function compared({ name, tablePrefix, steps }: MigrationList, rows: readonly AppliedMigration[]): SchemaStatus {
  const known = Object.keys(steps).sort();
  const byName = new Map(rows.map((row) => [row.name, row]));
  return {
    list: name,
    tablePrefix,
    applied: known.flatMap((step) => byName.get(step) ?? []),
    pending: known.filter((step) => !byName.has(step)),
    unknown: rows.map((row) => row.name).filter((row) => !known.includes(row)),
  };
}
