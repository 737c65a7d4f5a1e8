import { type QueueError, type QueueErrorCode, Refusal } from '../queue/driver.js';
import { sqlFailure, type Telling } from './sql-failure.js';
import { classifySqlite, isCorrupt, isSqlite } from './sqlite-errors.js';

/** What is wrong and what to do about it, by code. */
const words: Partial<Record<QueueErrorCode, readonly [fault: string, remedy: string]>> & {
  readonly internal: readonly [string, string];
} = {
  denied: ['the file, or its folder, cannot be written to', 'give this process the right to'],
  invalid: ['the file is no SQLite database', 'give another path'],
  unavailable: ['the file cannot be opened, read or written at present', 'look at the cause, then try again'],
  conflict: ['somebody else wrote to the file meanwhile', 'try again'],
  'resource-exhausted': ['the disk is full, or memory is', 'make room, then try again'],
  'payload-too-large': ['it is larger than SQLite keeps', 'make it smaller'],
  internal: ['SQLite answered what should not happen', 'look at the cause, and report this'],
};

/** Of a file whose pages are not what they were: nothing that this code could do or report. */
const corrupt = ['the file is damaged', 'restore it from a copy, or save what "sqlite3 FILE .recover" finds'] as const;

/** See `sqlFailure`. With the file's name, where it is known by then. */
export function sqliteFailure(path: string | null, operation: string, error: unknown): QueueError {
  const named = path === null ? '' : ` (${path})`;
  const all = Object.entries({ ...words, ...(isCorrupt(error) ? { internal: corrupt } : {}) });
  const sentences = Object.fromEntries(all.map(([code, [fault, remedy]]) => [code, `${fault}${named}; ${remedy}`]));
  const telling = {
    backend: 'sqlite',
    classify: classifySqlite,
    words: sentences as Telling['words'],
  };
  return sqlFailure(telling, operation, error);
}

/** The same for a driver, which says it by refusals: with the file's name. What SQLite did not say, or what may have taken effect, is as it is. */
export function sqliteRefusal(path: string, error: unknown): unknown {
  if (!isSqlite(error)) return error;
  const { code, outcomeUnknown } = classifySqlite(error);
  if (outcomeUnknown) return error;
  const [fault, remedy] = isCorrupt(error) ? corrupt : (words[code] ?? words.internal);
  return new Refusal(code, `${fault} (${path})`, remedy, { cause: error });
}
