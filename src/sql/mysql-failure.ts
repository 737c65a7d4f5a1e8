import { QueueError, type QueueErrorCode, Refusal } from '../queue/driver.js';
import { classifyMysql } from './mysql-errors.js';

/**
 * What a program sees of an error of the database where no queue is in between: `cannot load build "…" on mysql: the database
 * cannot be reached; …`. The raw error stays in `cause`, as its text may hold a statement's values.
 */
export function mysqlFailure(operation: string, error: unknown): QueueError {
  if (error instanceof QueueError) return error;
  if (error instanceof Refusal) {
    return new QueueError(`cannot ${operation} on mysql: ${error.message}; ${error.remedy}`, {
      code: error.code,
      retryable: error.code === 'unavailable',
      backend: 'mysql',
      cause: error.cause,
    });
  }
  const { code, retryable, outcomeUnknown } = classifyMysql(error);
  const doubt = outcomeUnknown ? ' (it may have taken effect all the same)' : '';
  return new QueueError(`cannot ${operation} on mysql: ${words[code] ?? words.internal}${doubt}`, {
    code,
    retryable,
    outcomeUnknown,
    backend: 'mysql',
    cause: error,
  });
}

const words: Partial<Record<QueueErrorCode, string>> & { readonly internal: string } = {
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
