import { loopTurn } from '../queue/driver.js';
import type { SqliteRow, SqliteValue } from './sqlite-connection.js';
import type { SqliteFile } from './sqlite-file.js';
import { pastLocks } from './sqlite-lock.js';
import { type Ask, ask, type Steps, takeSteps } from './sqlite-steps.js';
import type { WriteOptions } from './sqlite-writer.js';

/** See `WriteOptions`. Default: durable, and patient for as long as the tables' user is. */
export type TableWriteOptions = Partial<Omit<WriteOptions, 'ask'>>;

/** The tables of one prefix in a file. In statements, a name in braces is one of them: `select * from {messages}`. */
export class SqliteTables {
  readonly file: SqliteFile;
  readonly #patienceMs: number;
  readonly #ask: Ask;

  constructor(file: SqliteFile, tablePrefix: string, patienceMs: number) {
    this.file = file;
    this.#patienceMs = patienceMs;
    const named = namesOf(tablePrefix);
    this.#ask = (sql, parameters) => file.connection.all(named(sql), parameters);
  }

  /** Resolves when what the steps did is committed; rejects when none of it is there. */
  write<T>(steps: () => Steps<T>, options: TableWriteOptions = {}): Promise<T> {
    return this.file.write({ ask: this.#ask, patienceMs: this.#patienceMs, durable: true, ...options }, steps);
  }

  /** Reads what is committed, without a lock. It seldom waits: while somebody recovers the file, or closes it as its last user. */
  async read<T>(steps: () => Steps<T>): Promise<T> {
    await loopTurn();
    return pastLocks(this.#patienceMs, () => {
      this.file.check();
      return takeSteps(this.#ask, steps());
    });
  }

  all(sql: string, parameters: readonly SqliteValue[]): Promise<readonly SqliteRow[]> {
    return this.read(() => ask(sql, ...parameters));
  }
}

/** Puts the names of tables into statements, each once. */
export function namesOf(tablePrefix: string): (sql: string) => string {
  const known = new Map<string, string>();
  return (sql) => {
    let named = known.get(sql);
    if (named === undefined) {
      named = sql.replace(/\{(\w+)\}/g, `"${tablePrefix}$1"`);
      known.set(sql, named);
    }
    return named;
  };
}
