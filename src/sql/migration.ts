import type { Kysely } from 'kysely';

/**
 * One step of a schema, in the shape of kysely's `Migration`. DDL is not transactional on MySQL, so a step
 * that was cut short runs again, and so does one that another program's migrator has run before: each part
 * of it looks first (`create table if not exists`), and running it again, even after later steps, changes nothing.
 */
export interface Migration {
  up(db: Kysely<unknown>): Promise<void>;
}

/** Steps by name. They run in the order of their names, which never change once released. */
export type Migrations = Readonly<Record<string, Migration>>;

/** A fixed list of steps, and where it is written down which of them have run. */
export interface MigrationList {
  /** What the list makes, as part of its bookkeeping tables' names: `queue`, `builds`. */
  readonly name: string;
  /** What the names of all tables begin with; `tablePrefixFault` says what is wrong with one. */
  readonly tablePrefix: string;
  readonly steps: Migrations;
}

/** In front of every table's name unless the user chooses another. */
export const defaultTablePrefix = 'signalbox_';

/** Why a text cannot be in front of table names; null where it can. The empty text can. */
export function tablePrefixFault(prefix: string): string | null {
  if (/^(?:[a-z][a-z0-9_]{0,31})?$/.test(prefix)) return null;
  // Lower case only: whether MySQL tells "A" from "a" in table names depends on the server's file system.
  return 'has to be at most 32 lower-case letters, digits and underscores, the first of them a letter';
}

/** Kysely's record of the steps that have run; columns `name` and `timestamp`. */
export function migrationTable({ tablePrefix, name }: MigrationList): string {
  return `${tablePrefix}${name}_migrations`;
}

/** Kysely's second table. Its lock row is not what keeps two runs apart: see `SchemaBackend.exclusively`. */
export function migrationLockTable({ tablePrefix, name }: MigrationList): string {
  return `${tablePrefix}${name}_migrations_lock`;
}
