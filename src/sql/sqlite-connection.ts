import Libsql from 'libsql';
import { Refusal } from '../queue/driver.js';
import { demandOneCopy, rememberFile } from './sqlite-copies.js';

/** What SQLite keeps in a column, as it comes back: integers up to 2^53, texts, bytes. */
export type SqliteValue = string | number | null | Uint8Array;
export type SqliteRow = Readonly<Record<string, SqliteValue>>;

interface Prepared {
  readonly statement: ReturnType<InstanceType<typeof Libsql>['prepare']>;
  /** Whether it answers with rows. Asked once: the library crosses over to its own code for it. */
  readonly reader: boolean;
}

/**
 * One connection to a file, every statement prepared once. Every call blocks until SQLite has answered;
 * without a busy timeout that is at once, also when somebody else holds the lock: `SQLITE_BUSY`. (With one, the
 * event loop stood still for as long, and for ever when the lock's owner was in this process.)
 */
export class SqliteConnection {
  readonly #library: InstanceType<typeof Libsql>;
  readonly #prepared = new Map<string, Prepared>();

  /**
   * Makes the file unless it exists. Throws an `unavailable` refusal where it cannot be opened: libsql's own error has no code. See
   * `demandOneCopy` for another one.
   */
  constructor(path: string) {
    demandOneCopy(Libsql, path);
    try {
      this.#library = new Libsql(path, { timeout: 0 });
    } catch (error) {
      const remedy = 'give the path of a file that this process may read and write, in a folder that it may write to';
      throw new Refusal('unavailable', `${path} cannot be opened as a database`, remedy, { cause: error });
    }
    rememberFile(Libsql, path);
  }

  get inTransaction(): boolean {
    return this.#library.inTransaction;
  }

  /** For Kysely's dialect. */
  get library(): InstanceType<typeof Libsql> {
    return this.#library;
  }

  /**
   * Several statements, without parameters. Whatever takes a lock goes this way: a prepared statement that met SQLITE_BUSY
   * stays in progress until it is collected as garbage, and until then no commit goes through.
   */
  exec(sql: string): void {
    this.#library.exec(sql);
  }

  /**
   * The rows; of a statement that has none, one row that says how many were changed. (Asking such a one for its rows costs an
   * iterator: 28 % of the time that a batch of inserts took.)
   */
  all(sql: string, parameters: readonly SqliteValue[] = []): readonly SqliteRow[] {
    const { reader, statement } = this.#statement(sql);
    return reader ? (statement.all(parameters) as SqliteRow[]) : [{ changes: statement.run(parameters).changes }];
  }

  /** The first row. Not the library's own `get`: that leaves the statement open, and a commit then finds it in progress. */
  get(sql: string, parameters: readonly SqliteValue[] = []): SqliteRow | undefined {
    return this.all(sql, parameters)[0];
  }

  close(): void {
    this.#prepared.clear();
    this.#library.close();
  }

  #statement(sql: string): Prepared {
    let prepared = this.#prepared.get(sql);
    if (prepared === undefined) {
      const statement = this.#library.prepare(sql);
      prepared = { statement, reader: statement.reader };
      this.#prepared.set(sql, prepared);
    }
    return prepared;
  }
}
