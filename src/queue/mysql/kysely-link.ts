import { CompiledQuery, type Kysely } from 'kysely';
import { Refusal } from '../driver.js';
import {
  answerWithinMs,
  type Link,
  type LinkSettings,
  type LinkSource,
  type OwnLink,
  type Row,
  sessionSettings,
  timedOut,
  type Written,
} from './link.js';
import { bytes, type SqlValue, text } from './sql-values.js';

type AnyKysely = Kysely<unknown>;

/** How long the application's pool may take to lend a connection. Some pools wait for ever, and we keep what we are lent. */
const lendWithinMs = 10_000;

/** Statements on a Kysely instance that has one connection: a transaction, or what `connection()` hands out. */
export class KyselyLink implements Link {
  readonly #db: AnyKysely;

  constructor(db: AnyKysely) {
    this.#db = db.withoutPlugins();
  }

  async rows(sql: string, values: readonly SqlValue[] = []): Promise<readonly Row[]> {
    const { rows } = await this.#db.executeQuery<Row>(CompiledQuery.raw(sql, [...values]));
    return rows;
  }

  async write(sql: string, values: readonly SqlValue[] = []): Promise<Written> {
    const { numAffectedRows, insertId } = await this.#db.executeQuery(CompiledQuery.raw(sql, [...values]));
    return { affectedRows: Number(numAffectedRows ?? 0), insertId: Number(insertId ?? 0) };
  }
}

/**
 * Links over connections that an application's Kysely instance lends, each for as long as the driver is open. The session's
 * settings are ours while we have it, and put back before it is returned; one that cannot be put right is killed, so that
 * the application never works on it.
 */
export class BorrowedConnections implements LinkSource {
  readonly #db: AnyKysely;

  constructor(db: AnyKysely) {
    this.#db = db;
  }

  connect(settings: LinkSettings): Promise<OwnLink> {
    return new Promise((resolve, reject) => {
      let given = false;
      const timer = setTimeout(() => {
        given = true;
        reject(noneLent());
      }, lendWithinMs);
      this.#db
        .connection()
        .execute(async (db) => {
          // It came too late: back to the pool, untouched.
          if (given) return;
          clearTimeout(timer);
          const link = new BorrowedLink(db as AnyKysely);
          await link.setUp(settings);
          resolve(link);
          await link.returned;
          await link.putRight();
        })
        .catch((error: unknown) => reject(isOfDatabase(error) ? error : poolClosed(error)))
        .finally(() => clearTimeout(timer));
    });
  }

  async close(): Promise<void> {}
}

/** What a pool or Kysely itself says, that it was ended for one, has neither number nor code. */
function isOfDatabase(error: unknown): boolean {
  return error instanceof Refusal || (typeof error === 'object' && error !== null && 'code' in error);
}

function poolClosed(cause: unknown): Refusal {
  const what = cause instanceof Error ? cause.message : String(cause);
  return new Refusal(
    'unavailable',
    `the application's Kysely instance lends no connection: ${what}`,
    'keep its pool open until the queue is closed',
    { cause },
  );
}

function noneLent(): Refusal {
  return new Refusal(
    'resource-exhausted',
    `the application's Kysely instance lent no connection within ${lendWithinMs} ms`,
    'give its pool more connections, five more than the driver\'s option "connections" and what the application itself needs, or give the driver a URL',
  );
}

const fatalCodes = new Set<unknown>([
  'PROTOCOL_CONNECTION_LOST',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ECONNABORTED',
  'PROTOCOL_SEQUENCE_TIMEOUT',
]);

class BorrowedLink extends KyselyLink implements OwnLink {
  readonly returned: Promise<void>;
  onLost: (cause: unknown) => void = () => {};
  alive = true;
  #return: () => void = () => {};
  #before: readonly string[] = [];
  #clean = true;
  readonly #pending = new Set<(error: unknown) => void>();

  constructor(db: AnyKysely) {
    super(db);
    this.returned = new Promise((resolve) => {
      this.#return = resolve;
    });
  }

  async setUp(settings: LinkSettings): Promise<void> {
    this.#before = await settingsOf(this);
    for (const setting of sessionSettings(settings)) await this.write(setting);
  }

  async putRight(): Promise<void> {
    try {
      if (!this.#clean) throw new Error('given up in the middle of something');
      await super.write('rollback');
      await super.rows('select release_all_locks()');
      for (const setting of this.#before) await super.write(setting);
    } catch {
      // Its transaction, its locks and its settings end with it.
      await super.write('kill connection_id()').catch(() => {});
    }
  }

  override rows(sql: string, values?: readonly SqlValue[]): Promise<readonly Row[]> {
    return this.#bounded(super.rows(sql, values)).catch((error: unknown) => this.#failed(error));
  }

  override write(sql: string, values?: readonly SqlValue[]): Promise<Written> {
    return this.#bounded(super.write(sql, values)).catch((error: unknown) => this.#failed(error));
  }

  async end(): Promise<void> {
    this.alive = false;
    this.#return();
  }

  destroy(cause: unknown): void {
    this.alive = false;
    this.#clean = false;
    this.#return();
    for (const fail of [...this.#pending]) fail(cause);
  }

  /** The application's pool may wait for an answer for ever; a half-open connection gives none. */
  #bounded<T>(statement: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#pending.delete(fail);
      };
      const fail = (error: unknown): void => {
        done();
        reject(error);
      };
      const timer = setTimeout(() => fail(timedOut()), answerWithinMs);
      this.#pending.add(fail);
      statement.then((answer) => {
        done();
        resolve(answer);
      }, fail);
    });
  }

  #failed(error: unknown): never {
    const { code, fatal } = (error ?? {}) as { code?: unknown; fatal?: unknown };
    if (this.alive && (fatal === true || fatalCodes.has(code))) {
      this.destroy(error);
      this.onLost(error);
    }
    throw error;
  }
}

/** The statements that make a session what it was. */
async function settingsOf(link: Link): Promise<readonly string[]> {
  const variables = await link.rows(
    `show session variables
     where variable_name in ('tx_isolation', 'transaction_isolation', 'autocommit', 'innodb_lock_wait_timeout', 'wait_timeout', 'sql_mode', 'sql_safe_updates', 'time_zone')`,
  );
  const values = new Map(variables.map(({ Variable_name, Value }) => [text(Variable_name), text(Value)]));
  const isolation = values.get('transaction_isolation') ?? values.get('tx_isolation') ?? 'REPEATABLE-READ';
  const hex = (name: string): string => `x'${bytes(values.get(name) ?? '').toString('hex')}'`;
  return [
    `set session transaction isolation level ${isolation.replace('-', ' ')}`,
    `set session autocommit = ${values.get('autocommit') === 'OFF' ? 0 : 1}, innodb_lock_wait_timeout = ${Number(values.get('innodb_lock_wait_timeout'))}, wait_timeout = ${Number(values.get('wait_timeout'))}, sql_safe_updates = ${values.get('sql_safe_updates') === 'ON' ? 1 : 0}, sql_mode = convert(${hex('sql_mode')} using utf8mb4), time_zone = convert(${hex('time_zone')} using utf8mb4)`,
  ];
}
