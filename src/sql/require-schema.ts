import type { Kysely } from 'kysely';
import type { Classification } from '../queue/driver.js';
import { migrate } from './migrate.js';
import type { MigrationList } from './migration.js';
import type { SchemaBackend } from './schema-backend.js';
import { migrationRefusal, schemaRefusal } from './schema-refusal.js';
import { schemaStatus } from './schema-status.js';

export interface RequireSchemaOptions {
  /** Whether tables are made where there are none. */
  readonly create: boolean;
  /** The driver's table of errors. */
  readonly classify: (error: unknown) => Classification;
}

/**
 * Resolves when the tables are those of this code. Where there are none it makes them, if it may: what is opened on a fresh
 * database simply works. Tables of an older release are left to `signalbox migrate`, at a moment that somebody has chosen. Rejects
 * with a refusal that says what to run, and with what the database answers.
 */
export async function requireSchema(
  db: Kysely<unknown>,
  list: MigrationList,
  backend: SchemaBackend,
  { create, classify }: RequireSchemaOptions,
): Promise<void> {
  const status = await schemaStatus(db, list, backend);
  const nothingThere = status.applied.length === 0 && status.unknown.length === 0;
  const refusal =
    create && nothingThere ? migrationRefusal(await migrate(db, list, backend), list, classify) : schemaRefusal(status);
  if (refusal !== null) throw refusal;
}
