import { Refusal, type Send, type SendResult } from '../driver.js';
import { readCatalogue } from './catalogue.js';
import type { Row, Value } from './database.js';
import type { DatabaseFile } from './file.js';
import { sendBatch } from './sending.js';
import type { Steps } from './steps.js';

/** A connection of libsql, or one that is like better-sqlite3's: as far as we use it. */
interface CallersConnection {
  readonly inTransaction: boolean;
  prepare(sql: string): { all(...parameters: unknown[]): unknown[] };
}

/** A transaction of Kysely's, as far as we use it. */
interface KyselyTransaction {
  readonly isTransaction: true;
  executeQuery(query: unknown): Promise<{ readonly rows: readonly unknown[] }>;
}

type Asks = (sql: string, parameters: readonly Value[]) => readonly Row[] | Promise<readonly Row[]>;

/**
 * Sends within a transaction of the caller's own: a connection with an open transaction, or Kysely's `trx`, on the same
 * file. The rows are there when it commits; who waits for them hears of it from the file itself. Throws an `invalid` refusal
 * for anything else.
 */
export function callersTransaction(
  within: unknown,
  file: DatabaseFile,
): { send(batch: readonly Send[], now: number): Promise<readonly SendResult[]> } {
  const asks = asksOf(within);
  return {
    async send(batch, now) {
      const [main] = await asks('pragma database_list', []);
      if (main?.file !== file.path) throw noTransaction();
      return takeStepsIn(asks, within, batch, now);
    },
  };
}

async function takeStepsIn(
  asks: Asks,
  within: unknown,
  batch: readonly Send[],
  now: number,
): Promise<readonly SendResult[]> {
  const steps = (function* (): Steps<readonly SendResult[]> {
    return yield* sendBatch(batch, yield* readCatalogue(null), now);
  })();
  let step = steps.next([]);
  while (!step.done) {
    if (isConnection(within) && !within.inTransaction) throw noTransaction();
    step = steps.next(await asks(step.value.sql, step.value.parameters));
  }
  return step.value;
}

function asksOf(within: unknown): Asks {
  if (isConnection(within) && within.inTransaction) {
    // One array of parameters is what libsql and better-sqlite3 both take.
    return (sql, parameters) => within.prepare(sql).all([...parameters]) as Row[];
  }
  if (isKysely(within)) {
    return async (sql, parameters) => {
      const { CompiledQuery } = await import('kysely');
      return (await within.executeQuery(CompiledQuery.raw(sql, [...parameters]))).rows as Row[];
    };
  }
  throw noTransaction();
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

function noTransaction(): Refusal {
  return new Refusal(
    'invalid',
    'what was given as transaction is not an open transaction on the file of this queue',
    'give a libsql connection after "begin", or the trx of a Kysely transaction, on the same file',
  );
}
