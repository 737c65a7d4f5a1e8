import { type Kysely, sql } from 'kysely';
import { type Migration, type MigrationList, type Migrations, migrationTable } from './migration.js';

/**
 * The steps of a list for a migrator of the application's own, which keeps its own record of what has run.
 * Each also writes itself into the list's record, which is where signalbox looks whether a schema fits it. Names begin
 * with the prefix, so that they stand together between the application's.
 */
export function migrationsFor(list: MigrationList): Migrations {
  return Object.fromEntries(
    Object.entries(list.steps).map(([name, step]) => [
      `${list.tablePrefix}${list.name}_${name}`,
      recorded(list, name, step),
    ]),
  );
}

function recorded(list: MigrationList, name: string, step: Migration): Migration {
  const table = migrationTable(list);
  return {
    async up(db) {
      const plain = db.withoutPlugins();
      await step.up(plain);
      await makeRecord(plain, table);
      const { rows } = await sql`select 1 from ${sql.table(table)} where name = ${name}`.execute(plain);
      if (rows.length > 0) return;
      const now = new Date().toISOString();
      await sql`insert into ${sql.table(table)} (name, ${sql.ref('timestamp')}) values (${name}, ${now})`.execute(
        plain,
      );
    },
  };
}

/** As kysely's migrator makes it, which finds it there when `migrate` runs later. */
async function makeRecord(db: Kysely<unknown>, table: string): Promise<void> {
  await db.schema
    .createTable(table)
    .ifNotExists()
    .addColumn('name', 'varchar(255)', (column) => column.notNull().primaryKey())
    .addColumn('timestamp', 'varchar(255)', (column) => column.notNull())
    .execute();
}
