import type { Kysely } from 'kysely';
import { Refusal } from '../driver.js';
import { KyselyLink } from './kysely-link.js';
import type { Link, Row, Written } from './link.js';
import type { SqlValue } from './sql-values.js';

/** A connection of `mysql2/promise`, as much of it as is used. */
interface PromiseConnection {
  query(statement: string | Statement): Promise<[unknown, unknown]>;
}

/** The shape of rows is named, since the application may have chosen another one for its connection. */
interface Statement {
  readonly sql: string;
  readonly values: readonly SqlValue[];
  readonly rowsAsArray: false;
  readonly nestTables: false;
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
  // Every answer says how the session stands; this is the cheapest to get. (A savepoint would tell too, but not two at once.)
  const [answer] = await connection.query('do 0');
  const { serverStatus = 0 } = answer as { readonly serverStatus?: number };
  const isOutside = (serverStatus & inTransaction) === 0 && (serverStatus & autocommit) !== 0;
  if (isOutside) throw notATransaction('a connection without a transaction');
  return new CallersConnection(connection);
}

/** Bits of the protocol's status flags. */
const inTransaction = 1;
const autocommit = 2;

class CallersConnection implements Link {
  readonly #connection: PromiseConnection;

  constructor(connection: PromiseConnection) {
    this.#connection = connection;
  }

  async rows(sql: string, values: readonly SqlValue[] = []): Promise<readonly Row[]> {
    const [rows] = await this.#connection.query({ sql, values, rowsAsArray: false, nestTables: false });
    return rows as readonly Row[];
  }

  async write(sql: string, values: readonly SqlValue[] = []): Promise<Written> {
    const [written] = await this.#connection.query({ sql, values, rowsAsArray: false, nestTables: false });
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
