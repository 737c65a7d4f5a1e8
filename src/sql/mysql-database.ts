import { Kysely, MysqlDialect, type MysqlPool, type MysqlPoolConnection, type MysqlQueryResult } from 'kysely';
import type { PoolConnection } from 'mysql2';
import { readMysqlTablesUrl } from './mysql-url.js';

/** A database as the application has it: a URL, its mysql2 pool (of `mysql2` or `mysql2/promise`), or its Kysely instance. */
export type MysqlSource =
  | { readonly url: string }
  | { readonly pool: MysqlPool | { readonly pool: MysqlPool } }
  // biome-ignore lint/suspicious/noExplicitAny: no other Kysely takes an instance of any tables, which it is invariant in
  | { readonly kysely: Kysely<any> };

export interface MysqlDatabase {
  readonly db: Kysely<unknown>;
  /** Ends what was opened here; a pool or an instance of the application's stays as it is. */
  close(): Promise<void>;
}

export interface OwnPoolOptions {
  /** Most connections at once; those that are not needed are closed. Only of a URL. Default: 4. */
  readonly connections?: number | undefined;
  /**
   * A statement that takes longer is given up with `PROTOCOL_SEQUENCE_TIMEOUT`, and so is its connection, which is half
   * open or waits for a lock. Only of a URL. Default: none, as migrations may take long.
   */
  readonly statementTimeoutMs?: number | undefined;
}

const endTimeoutMs = 2_000;

/** Connects to nothing yet: the first statement does. Rejects with an `invalid` refusal for a URL that cannot be read. */
export async function mysqlDatabase(source: MysqlSource, options: OwnPoolOptions = {}): Promise<MysqlDatabase> {
  if ('url' in source) return ownPool(source.url, options);
  if ('kysely' in source) {
    return { db: source.kysely.withoutPlugins(), close: async () => {} };
  }
  const pool = 'pool' in source.pool ? source.pool.pool : source.pool;
  return { db: new Kysely({ dialect: new MysqlDialect({ pool }) }), close: async () => {} };
}

async function ownPool(url: string, { connections = 4, statementTimeoutMs }: OwnPoolOptions): Promise<MysqlDatabase> {
  const { connection } = readMysqlTablesUrl(url);
  const { createPool } = await import('mysql2');
  const pool = createPool({ ...connection, connectionLimit: connections, charset: 'utf8mb4', enableKeepAlive: true });
  const opened = new Set<PoolConnection>();
  pool.on('connection', (each) => {
    opened.add(each);
    each.once('end', () => opened.delete(each));
    each.once('error', () => opened.delete(each));
  });
  const bounded: MysqlPool = {
    getConnection: (callback) =>
      pool.getConnection((error, each) => callback(error, each && bound(each, statementTimeoutMs))),
    end: (callback) => pool.end(callback),
  };
  return {
    db: new Kysely<unknown>({ dialect: new MysqlDialect({ pool: bounded }) }),
    close: () =>
      new Promise((resolve) => {
        const ended = (): void => {
          clearTimeout(timer);
          resolve();
        };
        // A connection that nobody answers on would never say that it has ended.
        const timer = setTimeout(() => {
          for (const each of opened) socketOf(each).destroy();
          resolve();
        }, endTimeoutMs);
        pool.end(ended);
      }),
  };
}

const boundConnections = new WeakMap<PoolConnection, MysqlPoolConnection>();

/** The same object for the same connection: kysely knows a connection again by it. */
function bound(connection: PoolConnection, timeoutMs: number | undefined): MysqlPoolConnection {
  const known = boundConnections.get(connection);
  if (known !== undefined) return known;
  // Kysely 0.29 also asks for the three first.
  const made = {
    config: connection.config,
    threadId: connection.threadId,
    connect: (callback: (error: unknown) => void) => connection.connect(callback),
    destroy: () => connection.destroy(),
    release: () => connection.release(),
    // In the order that both lines of kysely, 0.28 and 0.29, call it in.
    query: ((sql: string, values: unknown[], callback?: (error: unknown, result: MysqlQueryResult) => void) =>
      connection.query({ sql, values, ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }) }, (error, result) => {
        // Its answer would be taken for that of the next statement.
        if (error?.code === 'PROTOCOL_SEQUENCE_TIMEOUT') {
          connection.destroy();
          socketOf(connection).destroy();
        }
        callback?.(error, result as MysqlQueryResult);
      })) as MysqlPoolConnection['query'],
  } satisfies MysqlPoolConnection & Record<string, unknown>;
  boundConnections.set(connection, made);
  return made;
}

/**
 * mysql2's `destroy` only says goodbye and waits for the other side's: where nobody answers, the socket would keep the
 * process alive for minutes. Undocumented, and there since its first release.
 */
function socketOf(connection: PoolConnection): { destroy(): void } {
  return (connection as unknown as { readonly stream: { destroy(): void } }).stream;
}
