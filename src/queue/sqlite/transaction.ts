import type { SqliteRow, SqliteValue } from '../../sql/sqlite-connection.js';
import { classifySqlite, isBusy, isSqlite } from '../../sql/sqlite-errors.js';
import type { SqliteFile } from '../../sql/sqlite-file.js';
import { LockPauses, lockedFor, pastLocks } from '../../sql/sqlite-lock.js';
import type { Steps } from '../../sql/sqlite-steps.js';
import { namesOf, type SqliteTables } from '../../sql/sqlite-tables.js';
import { loopTurn, Refusal, type Send, type SendResult, systemClock } from '../driver.js';
import { readCatalogue } from './catalogue.js';
import { collectGarbage } from './collect-garbage.js';
import { sendBatch } from './sending.js';

/** A connection of libsql, or one that is like better-sqlite3's: as far as we use it. */
interface CallersConnection {
  readonly inTransaction: boolean;
  exec(sql: string): unknown;
  prepare(sql: string): {
    readonly reader: boolean;
    all(...parameters: unknown[]): unknown[];
    run(...parameters: unknown[]): { readonly changes: number };
  };
}

/** A transaction of Kysely's, as far as we use it. */
interface KyselyTransaction {
  readonly isTransaction: true;
  executeQuery(
    query: unknown,
  ): Promise<{ readonly rows: readonly unknown[]; readonly numAffectedRows?: bigint | undefined }>;
}

/** Somebody's open transaction. */
interface Within {
  ask(sql: string, parameters: readonly SqliteValue[]): readonly SqliteRow[] | Promise<readonly SqliteRow[]>;
  /** Takes the write lock of the file for it. */
  lock(sql: string): Promise<void>;
  /** Throws where it was ended meanwhile. */
  check(): void;
}

export interface CallersOptions {
  readonly tables: SqliteTables;
  readonly tablePrefix: string;
  readonly patienceMs: number;
}

/** Changes nothing, but is a write: the first that needs the lock. */
const lockSql = 'update {state} set last_place = last_place';

/**
 * Sends within a transaction of the caller's own: a connection with an open transaction, or Kysely's `trx`, on the same
 * file. The rows are there when it commits; who waits for them hears of it from the file itself. Rejects with an `invalid` refusal
 * for anything else, and with `unavailable` where somebody else's transaction did not end in time.
 */
export async function sendWithin(
  within: unknown,
  options: CallersOptions,
  batch: readonly Send[],
  now: () => number,
): Promise<readonly SendResult[]> {
  const transaction = transactionOf(within, options);
  const named = namesOf(options.tablePrefix);
  await loopTurn();
  if ((await fileOf(transaction)) !== options.tables.file.path) throw noTransaction();
  await transaction.lock(named(lockSql));
  const steps = (function* (): Steps<readonly SendResult[]> {
    return yield* sendBatch(batch, yield* readCatalogue(null), now());
  })();
  let step = steps.next([]);
  while (!step.done) {
    transaction.check();
    step = steps.next(await transaction.ask(named(step.value.sql), step.value.parameters));
  }
  return step.value;
}

async function fileOf(transaction: Within): Promise<SqliteValue | undefined> {
  try {
    const [main] = await transaction.ask('pragma database_list', []);
    return main?.file;
  } catch (error) {
    if (isSqlite(error)) throw error;
    // Kysely says so, of a transaction that has ended.
    throw noTransaction(error);
  }
}

function transactionOf(within: unknown, { tables, patienceMs }: CallersOptions): Within {
  if (isConnection(within) && within.inTransaction) {
    const check = (): void => {
      if (!within.inTransaction) throw noTransaction();
    };
    return {
      // One array of parameters is what libsql and better-sqlite3 both take.
      ask: (sql, parameters) => {
        const statement = within.prepare(sql);
        if (statement.reader) return statement.all([...parameters]) as SqliteRow[];
        return [{ changes: statement.run([...parameters]).changes }];
      },
      lock: (sql) =>
        pastLocks(patienceMs, () => {
          check();
          within.exec(sql);
        }).catch((error: unknown) => Promise.reject(asConflict(error))),
      check,
    };
  }
  if (isKysely(within)) {
    const ask: Within['ask'] = async (sql, parameters) => {
      const { CompiledQuery } = await import('kysely');
      const { rows, numAffectedRows } = await within.executeQuery(CompiledQuery.raw(sql, [...parameters]));
      return rows.length > 0 || numAffectedRows === undefined
        ? (rows as SqliteRow[])
        : [{ changes: Number(numAffectedRows) }];
    };
    return { ask, lock: (sql) => lockByKysely(sql, ask, tables.file, patienceMs), check: () => {} };
  }
  throw noTransaction();
}

/**
 * Kysely prepares its statements, and one that met a lock stays in progress in libsql 0.5: no commit of that connection
 * goes through until it is collected as garbage. So the lock is waited for on a connection of ours. Whoever has written before
 * has it, which SQLite tells nobody; whoever has read must try at once, as what others write meanwhile ends his transaction anyhow. Where
 * that fails, the statement is collected before he hears of it: his next try finds the connection as it was.
 */
async function lockByKysely(sql: string, ask: Within['ask'], file: SqliteFile, patienceMs: number): Promise<void> {
  const startedAt = systemClock.now();
  const pauses = new LockPauses();
  for (let busy = file.lockedBy(); busy !== null && (await hasTouchedNothing(ask)); busy = file.lockedBy()) {
    if (systemClock.now() - startedAt >= patienceMs) throw lockedFor(patienceMs, busy);
    await pauses.pause();
  }
  try {
    await ask(sql, []);
  } catch (error) {
    const conflict = asConflict(error);
    if (conflict !== error) {
      // Until its text is asked for, the stack of an error has the objects whose methods are in it: the statement.
      void (error as Error).stack;
      await collectGarbage();
    }
    throw conflict;
  }
}

/** A checkpoint is refused within a transaction that has begun to read or write, and is what happens now and then anyhow in one that has not. */
async function hasTouchedNothing(ask: Within['ask']): Promise<boolean> {
  try {
    await ask('pragma wal_checkpoint(passive)', []);
    return true;
  } catch {
    return false;
  }
}

/** A lock that this transaction can no longer get, whatever it waits for; any other error as it is. */
function asConflict(error: unknown): unknown {
  if (classifySqlite(error).code !== 'conflict' && !isBusy(error)) return error;
  return new Refusal(
    'conflict',
    'somebody else writes to the file, or wrote to it since this transaction began to read',
    'roll it back and run it again; write before you read in it, or begin it with "begin immediate"',
    { cause: error },
  );
}

function isConnection(value: unknown): value is CallersConnection {
  return typeof value === 'object' && value !== null && 'inTransaction' in value && 'prepare' in value;
}

function isKysely(value: unknown): value is KyselyTransaction {
  return (
    typeof value === 'object' &&
    value !== null &&
    'executeQuery' in value &&
    'isTransaction' in value &&
    value.isTransaction === true
  );
}

function noTransaction(cause?: unknown): Refusal {
  return new Refusal(
    'invalid',
    'what was given as transaction is not an open transaction on the file of this queue',
    'give a libsql connection after "begin", or the trx of a Kysely transaction, on the same file',
    { cause },
  );
}
