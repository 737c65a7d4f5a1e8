import type { Kysely } from 'kysely';
import type { Migrations } from './migration.js';

interface MigratorProps {
  readonly db: Kysely<unknown>;
  readonly provider: { getMigrations(): Promise<Record<string, Migrations[string]>> };
  readonly migrationTableName: string;
  readonly migrationLockTableName: string;
  readonly allowUnorderedMigrations: boolean;
}

interface MigrationResultSet {
  readonly error?: unknown;
  readonly results?: readonly {
    readonly migrationName: string;
    readonly status: 'Success' | 'Error' | 'NotExecuted';
  }[];
}

interface MigratorModule {
  readonly Migrator: new (props: MigratorProps) => { migrateToLatest(): Promise<MigrationResultSet> };
}

/**
 * Kysely's `Migrator`: in `kysely/migration` since 0.29, where the main entry lost it; in the main entry
 * before, where there is no such door. Which of the two is installed is the user's choice.
 */
export async function kyselyMigrator(): Promise<MigratorModule['Migrator']> {
  const root = (await import('kysely')) as unknown as Partial<MigratorModule>;
  if (root.Migrator !== undefined) return root.Migrator;
  const door = 'kysely/migration'; // not a literal import: TypeScript would look for it in 0.28 as well
  return ((await import(door)) as MigratorModule).Migrator;
}
