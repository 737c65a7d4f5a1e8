import type { SqliteRow, SqliteValue } from './sqlite-connection.js';

/** One statement of a transaction; the answer is its rows, none where it has none. Names in braces are tables: see `SqliteTables`. */
interface Statement {
  readonly sql: string;
  readonly parameters: readonly SqliteValue[];
}

/**
 * What a transaction does, as statements that somebody else carries out: the writer of this process at once, a
 * caller's transaction, which may be Kysely's and answer later, one after another.
 */
export type Steps<T> = Generator<Statement, T, readonly SqliteRow[]>;

/** Carries one statement out. */
export type Ask = (sql: string, parameters: readonly SqliteValue[]) => readonly SqliteRow[];

export function* ask(sql: string, ...parameters: readonly SqliteValue[]): Steps<readonly SqliteRow[]> {
  return yield { sql, parameters };
}

export function takeSteps<T>(ask: Ask, steps: Steps<T>): T {
  let step = steps.next([]);
  while (!step.done) step = steps.next(ask(step.value.sql, step.value.parameters));
  return step.value;
}
