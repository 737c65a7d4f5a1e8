import { defaultTablePrefix, type MigrationList } from '../../../sql/migration.js';
import { createTables } from './0001-tables.js';

/**
 * The steps that make the queue's tables, for `signalbox migrate` and for an application's own migrator. Steps are
 * only ever added. `tablePrefix` must be the one that the driver is given.
 */
export function migrations(tablePrefix: string = defaultTablePrefix): MigrationList {
  return {
    name: 'queue',
    tablePrefix,
    steps: {
      '0001-tables': { up: (db) => createTables(db, tablePrefix) },
    },
  };
}
