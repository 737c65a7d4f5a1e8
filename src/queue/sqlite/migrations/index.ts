import { defaultTablePrefix, type MigrationList, type Migrations } from '../../../sql/migration.js';
import { migrationsFor } from '../../../sql/migrations-for.js';
import { createTables } from './0001-tables.js';
import { addPauses } from './0002-pauses.js';
import { indexDueInOrder } from './0003-due-in-order.js';
import { addLastSeen } from './0004-last-seen.js';
import { indexByState } from './0005-indexes-by-state.js';
import { addRangeClaims } from './0006-range-claims.js';
import { refuseOlder } from './0007-refuse-older.js';

/** The steps that make the queue's tables. Steps are only ever added. */
export function queueMigrationList(tablePrefix: string): MigrationList {
  return {
    name: 'queue',
    tablePrefix,
    steps: {
      '0001-tables': { up: (db) => createTables(db, tablePrefix) },
      '0002-pauses': { up: (db) => addPauses(db, tablePrefix) },
      '0003-due-in-order': { up: (db) => indexDueInOrder(db, tablePrefix) },
      '0004-last-seen': { up: (db) => addLastSeen(db, tablePrefix) },
      '0005-indexes-by-state': { up: (db) => indexByState(db, tablePrefix) },
      '0006-range-claims': { up: (db) => addRangeClaims(db, tablePrefix) },
      '0007-refuse-older': { up: (db) => refuseOlder(db, tablePrefix) },
    },
  };
}

/**
 * The steps for the kysely migrator of an application that brings its whole file up to date by itself, as in
 * `{ ...ownMigrations, ...migrations() }`. Otherwise nobody needs them: the driver makes its tables where there are none, and
 * `signalbox migrate` runs what is missing. `tablePrefix` must be the one that the driver is given.
 */
export function migrations(tablePrefix: string = defaultTablePrefix): Migrations {
  return migrationsFor(queueMigrationList(tablePrefix));
}
