import { QueueError } from '../queue/index.js';
import type { Schemas } from './schemas-on.js';

/** The schemas behind a URL; nothing is connected yet. Rejects with `unsupported` where a backend has none. */
export async function schemasOf(url: string): Promise<Schemas> {
  if (isMysqlUrl(url)) return (await optional(import('./mysql-schemas.js'))).mysqlSchemas(url);
  if (isSqliteUrl(url)) return (await import('./sqlite-schemas.js')).sqliteSchemas(url);
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0].toLowerCase() ?? null;
  // Not the URL itself: it may hold a password.
  if (scheme === null) {
    throw new QueueError('cannot migrate: the URL has no scheme; give one such as mysql://user@host/database', {
      code: 'invalid',
    });
  }
  throw new QueueError(
    `cannot migrate: a backend of "${scheme}" has no tables to migrate; leave this step out, or name a mysql:, mariadb: or sqlite: database`,
    { code: 'unsupported' },
  );
}

export function isMysqlUrl(url: string): boolean {
  return /^(?:mysql|mariadb):/i.test(url);
}

export function isSqliteUrl(url: string): boolean {
  return /^sqlite:/i.test(url);
}

/** Loaded when it is used: mysql2 need not be installed for other backends. */
async function optional<T>(loading: Promise<T>): Promise<T> {
  return loading.catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException | null)?.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new QueueError('cannot migrate: this takes the package mysql2; npm install mysql2', {
      code: 'unsupported',
      cause: error,
    });
  });
}
