import type { QueueError } from '../queue/driver.js';
import { classifyMysql } from './mysql-errors.js';
import { sqlFailure, type Telling } from './sql-failure.js';

/** See `sqlFailure`. */
export function mysqlFailure(operation: string, error: unknown): QueueError {
  return sqlFailure({ backend: 'mysql', classify: classifyMysql, words }, operation, error);
}

const words: Telling['words'] = {
  denied: 'the database denies it; give the user the right to do this',
  auth: 'the database refuses the credentials; check user name and password',
  'not-found': 'the database or a table does not exist; check the name, and run "signalbox migrate --queue URL"',
  unavailable: 'the database cannot be reached, or takes no writes; see that it runs, then try again',
  timeout: 'the database did not answer in time; try again',
  conflict: 'others held the same rows; try again',
  'resource-exhausted': 'the database is out of connections, memory or disk; make room, then try again',
  'payload-too-large': 'it is larger than the max_allowed_packet of the database; raise that',
  internal: 'the database answered what should not happen; look at the cause, and report this',
};
