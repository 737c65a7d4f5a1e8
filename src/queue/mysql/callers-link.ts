import type { Kysely } from 'kysely';
import { Refusal } from '../driver.js';
import { KyselyLink } from './kysely-link.js';
import type { Link, Row, Written } from './link.js';
import type { SqlValue } from './sql-values.js';

/** A connection of `mysql2/promise`, as much of it as is used. */
interface PromiseConnection {
  query(sql: string, values?: unknown): Promise<[unknown, unknown]>;
}

/**
 * The caller's own transaction as a link: a Kysely transaction, or a mysql2 connection on which one was begun. Rejects with an
 * `invalid` refusal where it is neither, or no transaction is open: what was published would be stored at once.
 */
export async function callersLink(within: unknown): Promise<Link> {
  if (isKysely(within)) {
    if (within.isTransaction) return new KyselyLink(within);
    throw notATransaction('a Kysely instance that is no transaction');
  }
  const connection = promiseConnectionOf(within);
  if (connection === null) throw notATransaction('neither a Kysely transaction nor a mysql2 connection');
  const link = new CallersConnection(connection);
  try {
    // Outside a transaction a savepoint is forgotten with the statement that made it, and releasing it is error 1305.
    await link.write('savepoint signalbox_within');
    await link.write('release savepoint signalbox_within');
  } catch (error) {
    if ((error as { errno?: unknown } | null)?.errno === 1305)
      throw notATransaction('a connection without a transaction');
    throw error;
  }
  return link;
}

class CallersConnection implements Link {
  readonly #connection: PromiseConnection;

  constructor(connection: PromiseConnection) {
    this.#connection = connection;
  }

  async rows(sql: string, values: readonly SqlValue[] = []): Promise<readonly Row[]> {
    const [rows] = await this.#connection.query(sql, values);
    return rows as readonly Row[];
  }

  async write(sql: string, values: readonly SqlValue[] = []): Promise<Written> {
    const [written] = await this.#connection.query(sql, values);
    return written as Written;
  }
}

function isKysely(value: unknown): value is Kysely<unknown> {
  const { executeQuery, withoutPlugins } = (value ?? {}) as Partial<Kysely<unknown>>;
  return typeof executeQuery === 'function' && typeof withoutPlugins === 'function';
}

/** A connection of `mysql2` gives its promise face itself. */
function promiseConnectionOf(value: unknown): PromiseConnection | null {
  const { promise, query, beginTransaction } = (value ?? {}) as {
    promise?: () => PromiseConnection;
    query?: unknown;
    beginTransaction?: unknown;
  };
  if (typeof query !== 'function' || typeof beginTransaction !== 'function') return null;
  return typeof promise === 'function' ? promise.call(value) : (value as PromiseConnection);
}

function notATransaction(what: string): Refusal {
  const remedy = 'give the transaction of db.transaction().execute(), or a mysql2 connection after beginTransaction()';
  return new Refusal('invalid', `what was given as transaction is ${what}`, remedy);
}
