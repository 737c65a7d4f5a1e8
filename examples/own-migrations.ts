import { type Kysely, type Migration, Migrator } from 'kysely';
import { migrations } from 'signalbox/mysql';
import { buildMigrations } from 'signalbox/orchestrator/mysql';

const own: Record<string, Migration> = {
  '2026-01-07 customers': {
    async up(db) {
      await db.schema
        .createTable('customers')
        .addColumn('id', 'integer', (column) => column.primaryKey())
        .execute();
    },
  },
};

/** The application's tables, and those of its queue and its builds beside them, in one go and under one record. */
export async function migrateAll(db: Kysely<unknown>): Promise<void> {
  const all = { ...own, ...migrations('app_'), ...buildMigrations('app_') };
  const { error } = await new Migrator({ db, provider: { getMigrations: async () => all } }).migrateToLatest();
  if (error !== undefined) throw error;
}
