import { QueueError } from '../queue/index.js';
import type { SchemaStatus } from '../sql/schema-status.js';

/** The tables that a backend keeps for the queue and for the builds, each a list of migrations. */
export interface Schemas {
  /** Name of the driver. */
  readonly backend: string;
  /** How each list stands, without changing anything. Rejects with `QueueError`. */
  statuses(): Promise<readonly SchemaStatus[]>;
  /** Brings each list up to date, one after the other, and answers by list's name which steps ran. Rejects with `QueueError`. */
  migrate(): Promise<ReadonlyMap<string, readonly string[]>>;
  close(): Promise<void>;
}

/** The schemas behind a URL; nothing is connected yet. Rejects with `unsupported` where a backend has none. */
export async function schemasOf(url: string): Promise<Schemas> {
  if (isMysqlUrl(url)) return (await optional(import('./mysql-schemas.js'))).mysqlSchemas(url);
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0].toLowerCase() ?? null;
  // Not the URL itself: it may hold a password.
  if (scheme === null) {
    throw new QueueError('cannot migrate: the URL has no scheme; give one such as mysql://user@host/database', {
      code: 'invalid',
    });
  }
  throw new QueueError(
    `cannot migrate: a backend of "${scheme}" has no tables to migrate; leave this step out, or name a mysql: or mariadb: database`,
    { code: 'unsupported' },
  );
}

export function isMysqlUrl(url: string): boolean {
  return /^(?:mysql|mariadb):/i.test(url);
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
