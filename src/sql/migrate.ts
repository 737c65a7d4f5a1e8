import { Kysely } from 'kysely';
import { kyselyMigrator } from './kysely-migrator.js';
import { type MigrationList, migrationLockTable, migrationTable } from './migration.js';
import type { SchemaBackend } from './schema-backend.js';
import { type SchemaStatus, schemaStatus } from './schema-status.js';

export interface MigrateOptions {
  /** How long to wait for another process that is migrating. Default: 60 000. */
  readonly lockTimeoutMs?: number | undefined;
}

export type MigrationOutcome =
  /** The schema is what this code expects; `ran` names the steps that this call ran, none when there was nothing to do. */
  | { readonly kind: 'current'; readonly ran: readonly string[] }
  /** Nothing was changed: the schema has steps that this code does not know. `schemaFault` has the words. */
  | { readonly kind: 'newer'; readonly status: SchemaStatus }
  /** Nothing was changed: another process was migrating all the while. */
  | { readonly kind: 'busy'; readonly waitedMs: number }
  /** Steps before `step` have run. Running again goes on with it. `step` is null where the bookkeeping itself failed. */
  | { readonly kind: 'failed'; readonly ran: readonly string[]; readonly step: string | null; readonly error: unknown };

/**
 * How often the migrator is asked where it failed outside of any step. Seen once on MariaDB 10.11, on a server that was busy with the
 * tables of other databases; every step can be run again, and what is really wrong fails again.
 */
const bookkeepingTries = 3;

/**
 * Brings a database to the schema of this code, with kysely's migrator. May be called from many processes
 * at once and again at any time; a database that is current costs two reads and no lock. Rejects only with
 * what the database answers before the first step: all else is an outcome, for the caller to put into words.
 */
export async function migrate(
  db: Kysely<unknown>,
  list: MigrationList,
  backend: SchemaBackend,
  { lockTimeoutMs = 60_000 }: MigrateOptions = {},
): Promise<MigrationOutcome> {
  const done = ended(await schemaStatus(db, list, backend));
  if (done !== null) return done;
  const outcome = await backend.exclusively(db, `migrate ${list.tablePrefix}`, lockTimeoutMs, async (connection) => {
    for (let again = bookkeepingTries - 1; ; again--) {
      const own = new Kysely<unknown>({ dialect: backend.dialectOver(connection) });
      const outcome = await migrateAlone(own, list, backend).finally(() => own.destroy());
      if (outcome.kind !== 'failed' || outcome.step !== null || again === 0) return outcome;
    }
  });
  return outcome === 'busy' ? { kind: 'busy', waitedMs: lockTimeoutMs } : outcome;
}

/** With the lock held: what another process has done while we waited for it is not done again. */
async function migrateAlone(
  db: Kysely<unknown>,
  list: MigrationList,
  backend: SchemaBackend,
): Promise<MigrationOutcome> {
  const done = ended(await schemaStatus(db, list, backend));
  if (done !== null) return done;
  const Migrator = await kyselyMigrator();
  const { error, results = [] } = await new Migrator({
    db,
    provider: { getMigrations: async () => list.steps },
    migrationTableName: migrationTable(list),
    migrationLockTableName: migrationLockTable(list),
    // Kysely would otherwise sort what has run by the wall clocks of those who ran it, and refuse to go on
    // after a clock that was behind. Ours is a fixed list of steps that can be run again: names suffice.
    allowUnorderedMigrations: true,
  }).migrateToLatest();
  const ran = results.filter(({ status }) => status === 'Success').map(({ migrationName }) => migrationName);
  if (error === undefined) return { kind: 'current', ran };
  const step = results.find(({ status }) => status === 'Error')?.migrationName ?? null;
  return { kind: 'failed', ran, step, error };
}

/** What there is to say without running anything; null while steps are missing. */
function ended(status: SchemaStatus): MigrationOutcome | null {
  if (status.unknown.length > 0) return { kind: 'newer', status };
  return status.pending.length === 0 ? { kind: 'current', ran: [] } : null;
}
