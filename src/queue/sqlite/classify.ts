import type { Classification } from '../driver.js';

const never = { retryable: false, outcomeUnknown: false } as const;
const later = { retryable: true, outcomeUnknown: false } as const;

/**
 * By SQLite's result codes (https://www.sqlite.org/rescode.html). A transaction that fails is rolled back whole, so
 * the outcome is never unknown.
 */
const primary: Readonly<Record<string, Classification>> = {
  SQLITE_BUSY: { code: 'unavailable', ...later },
  SQLITE_LOCKED: { code: 'unavailable', ...later },
  SQLITE_PROTOCOL: { code: 'unavailable', ...later },
  SQLITE_INTERRUPT: { code: 'unavailable', ...later },
  SQLITE_SCHEMA: { code: 'unavailable', ...later },
  SQLITE_IOERR: { code: 'unavailable', ...later },
  SQLITE_FULL: { code: 'resource-exhausted', ...later },
  SQLITE_NOMEM: { code: 'resource-exhausted', ...later },
  SQLITE_TOOBIG: { code: 'payload-too-large', ...never },
  SQLITE_READONLY: { code: 'denied', ...never },
  SQLITE_PERM: { code: 'denied', ...never },
  SQLITE_AUTH: { code: 'denied', ...never },
  SQLITE_CANTOPEN: { code: 'unavailable', ...never },
  SQLITE_NOTADB: { code: 'invalid', ...never },
  SQLITE_CORRUPT: { code: 'internal', ...never },
};

export function classify(error: unknown): Classification {
  const code = codeOf(error);
  // Extended codes begin with the primary one: SQLITE_IOERR_WRITE.
  const found = Object.keys(primary).find((name) => code === name || code.startsWith(`${name}_`));
  return (found === undefined ? undefined : primary[found]) ?? { code: 'internal', ...never };
}

export function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  return code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED');
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}
