import type { Database, Row, Value } from './database.js';

/** One statement of a transaction; the answer is its rows, none where it has none. */
interface Statement {
  readonly sql: string;
  readonly parameters: readonly Value[];
}

/**
 * What a transaction does, as statements that somebody else carries out: the writer of this process at once, a
 * caller's transaction, which may be Kysely's and answer later, one after another.
 */
export type Steps<T> = Generator<Statement, T, readonly Row[]>;

export function* ask(sql: string, ...parameters: readonly Value[]): Steps<readonly Row[]> {
  return yield { sql, parameters };
}

export function takeSteps<T>(database: Database, steps: Steps<T>): T {
  let step = steps.next([]);
  while (!step.done) step = steps.next(database.all(step.value.sql, step.value.parameters));
  return step.value;
}
