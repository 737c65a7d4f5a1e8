import { sql } from 'kysely';
import { defaultTablePrefix, type MigrationList, type Migrations } from '../../sql/migration.js';
import { migrationsFor } from '../../sql/migrations-for.js';

/** The tables of the build store: a list of its own, since a program with a queue alone has no builds. */
export function buildMigrationList(tablePrefix: string): MigrationList {
  return {
    name: 'builds',
    tablePrefix,
    steps: {
      // New ones: locks the file for some milliseconds.
      '0001-builds': {
        async up(db) {
          const builds = sql.table(`${tablePrefix}builds`);
          await sql`
            create table if not exists ${builds} (
              request_id text not null primary key,
              build_id text,
              status text not null,
              announced integer not null,
              created_at integer not null,
              version integer not null,
              document text not null
            ) strict, without rowid`.execute(db);
          for (const [name, columns] of indexes) {
            await sql`create index if not exists ${sql.ref(`${tablePrefix}builds_${name}`)}
              on ${builds} (${sql.raw(columns)})`.execute(db);
          }
        },
      },
    },
  };
}

const indexes = [
  ['by_build_id', 'build_id'],
  ['by_age', 'created_at, request_id'],
  ['by_announced', 'announced, created_at, request_id'],
] as const;

/**
 * The same steps for the migrator of an application that brings its whole file up to date by itself, as in
 * `{ ...ownMigrations, ...buildMigrations() }`. Otherwise nobody needs them: `sqliteBuildStore` and
 * `signalbox migrate` run what is missing.
 */
export function buildMigrations(tablePrefix: string = defaultTablePrefix): Migrations {
  return migrationsFor(buildMigrationList(tablePrefix));
}
