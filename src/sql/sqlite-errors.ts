import type { Classification } from '../queue/driver.js';

const never = { retryable: false, outcomeUnknown: false } as const;
const later = { retryable: true, outcomeUnknown: false } as const;

/**
 * By SQLite's result codes (https://www.sqlite.org/rescode.html), extended ones before the primary ones that they begin with. A
 * transaction that fails is rolled back whole, so the outcome is known, with one exception: where the disk did not confirm a
 * commit that is in the write-ahead log, whoever recovers that log may find it there.
 */
const byCode: Readonly<Record<string, Classification>> = {
  SQLITE_IOERR_FSYNC: { code: 'unavailable', retryable: true, outcomeUnknown: true },
  SQLITE_BUSY_SNAPSHOT: { code: 'conflict', ...later },
  SQLITE_BUSY: { code: 'unavailable', ...later },
  SQLITE_LOCKED: { code: 'unavailable', ...later },
  SQLITE_PROTOCOL: { code: 'unavailable', ...later },
  SQLITE_INTERRUPT: { code: 'unavailable', ...later },
  SQLITE_SCHEMA: { code: 'unavailable', ...later },
  // The file of shared memory cannot grow; where the log cannot, it is SQLITE_FULL.
  SQLITE_IOERR_SHMSIZE: { code: 'resource-exhausted', ...later },
  SQLITE_IOERR: { code: 'unavailable', ...later },
  SQLITE_FULL: { code: 'resource-exhausted', ...later },
  SQLITE_NOMEM: { code: 'resource-exhausted', ...later },
  SQLITE_TOOBIG: { code: 'payload-too-large', ...never },
  SQLITE_READONLY: { code: 'denied', ...never },
  SQLITE_PERM: { code: 'denied', ...never },
  SQLITE_AUTH: { code: 'denied', ...never },
  SQLITE_CANTOPEN: { code: 'unavailable', ...later },
  SQLITE_NOTADB: { code: 'invalid', ...never },
  SQLITE_CORRUPT: { code: 'internal', ...never },
};

/** What an error of libsql means; what the table does not know is `internal`. */
export function classifySqlite(error: unknown): Classification {
  const code = codeOf(error);
  const found = Object.entries(byCode).find(([name]) => code === name || code.startsWith(`${name}_`));
  return found?.[1] ?? { code: 'internal', ...never };
}

/** Whether somebody else has the lock that this needed: the same may go through later. */
export function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  return (code.startsWith('SQLITE_BUSY') && code !== 'SQLITE_BUSY_SNAPSHOT') || code.startsWith('SQLITE_LOCKED');
}

/** Whether there was no room for what was written. */
export function isFull(error: unknown): boolean {
  return ['SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE'].includes(codeOf(error));
}

/** Whether pages of the file are not what SQLite has written. */
export function isCorrupt(error: unknown): boolean {
  return codeOf(error).startsWith('SQLITE_CORRUPT');
}

/** Whether SQLite said it, not a library above it. */
export function isSqlite(error: unknown): boolean {
  return codeOf(error).startsWith('SQLITE_');
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}
