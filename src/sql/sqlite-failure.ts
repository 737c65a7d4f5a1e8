import type { QueueError } from '../queue/driver.js';
import { sqlFailure, type Telling } from './sql-failure.js';
import { classifySqlite } from './sqlite-errors.js';

/** See `sqlFailure`. */
export function sqliteFailure(operation: string, error: unknown): QueueError {
  return sqlFailure({ backend: 'sqlite', classify: classifySqlite, words }, operation, error);
}

const words: Telling['words'] = {
  denied: 'the file, or its folder, cannot be written to; give this process the right to',
  invalid: 'the file is no SQLite database; give another path',
  unavailable: 'the file cannot be opened, read or written at present; look at the cause, then try again',
  conflict: 'somebody else wrote to the file meanwhile; try again',
  'resource-exhausted': 'the disk is full, or memory is; make room, then try again',
  'payload-too-large': 'it is larger than SQLite keeps; make it smaller',
  internal: 'SQLite answered what should not happen; look at the cause, and report this',
};
