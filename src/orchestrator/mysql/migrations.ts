import { sql } from 'kysely';
import { defaultTablePrefix, type MigrationList, type Migrations } from '../../sql/migration.js';
import { migrationsFor } from '../../sql/migrations-for.js';

/** The tables of the build store: a list of its own, since a program with a queue alone has no builds. */
export function buildMigrationList(tablePrefix: string): MigrationList {
  return {
    name: 'builds',
    tablePrefix,
    steps: {
      // A new table: locks nothing.
      '0001-builds': {
        async up(db) {
          await sql`
            create table if not exists ${sql.table(`${tablePrefix}builds`)} (
              request_id varbinary(255) not null,
              build_id varbinary(255) null,
              status varbinary(16) not null,
              announced tinyint not null,
              created_at bigint unsigned not null,
              version bigint unsigned not null,
              document longblob not null,
              primary key (request_id),
              key by_build_id (build_id),
              key by_age (created_at, request_id),
              key by_announced (announced, created_at, request_id)
            ) engine = InnoDB`.execute(db);
        },
      },
    },
  };
}

/**
 * The same steps for the migrator of an application that brings its whole schema up to date by itself, as in
 * `{ ...ownMigrations, ...buildMigrations() }`. Otherwise nobody needs them: `mysqlBuildStore` and
 * `signalbox migrate` run what is missing.
 */
export function buildMigrations(tablePrefix: string = defaultTablePrefix): Migrations {
  return migrationsFor(buildMigrationList(tablePrefix));
}
