import type { SqliteRow, SqliteValue } from './sqlite-connection.js';

/** One statement of a transaction. Names in braces are tables: see `SqliteTables`. */
interface Statement {
  readonly sql: string;
  readonly parameters: readonly SqliteValue[];
}

/**
 * What a transaction does, as statements that somebody else carries out: the writer of this process at once, a
 * caller's transaction, which may be Kysely's and answer later, one after another.
 */
export type Steps<T> = Generator<Statement, T, readonly SqliteRow[]>;

/** Carries one statement out: see `SqliteConnection.all`. */
export type Ask = (sql: string, parameters: readonly SqliteValue[]) => readonly SqliteRow[];

/** Answers the rows of a statement. */
export function* ask(sql: string, ...parameters: readonly SqliteValue[]): Steps<readonly SqliteRow[]> {
  return yield { sql, parameters };
}

/** The same of a list, which may be long. */
export function* askAll(sql: string, parameters: readonly SqliteValue[]): Steps<readonly SqliteRow[]> {
  return yield { sql, parameters };
}

/** Carries out a statement that has no rows; answers how many it changed. */
export function* change(sql: string, ...parameters: readonly SqliteValue[]): Steps<number> {
  const [row] = yield { sql, parameters };
  return Number(row?.changes);
}

export function takeSteps<T>(ask: Ask, steps: Steps<T>): T {
  let step = steps.next([]);
  while (!step.done) step = steps.next(ask(step.value.sql, step.value.parameters));
  return step.value;
}
