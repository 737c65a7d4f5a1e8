import Libsql from 'libsql';

/** What SQLite keeps in a column, as it comes back: integers up to 2^53, texts, bytes. */
export type Value = string | number | null | Uint8Array;
export type Row = Readonly<Record<string, Value>>;

type Prepared = ReturnType<InstanceType<typeof Libsql>['prepare']>;

/**
 * One connection to a file, every statement prepared once. Every call blocks until SQLite has answered;
 * without a busy timeout that is at once, also when somebody else holds the lock: `SQLITE_BUSY`. (With one, the
 * event loop stood still for as long, and for ever when the lock's owner was in this process.)
 */
export class Database {
  readonly #connection: InstanceType<typeof Libsql>;
  readonly #prepared = new Map<string, Prepared>();

  /** Makes the file unless it exists; throws what libsql throws. */
  constructor(path: string) {
    this.#connection = new Libsql(path, { timeout: 0 });
  }

  get inTransaction(): boolean {
    return this.#connection.inTransaction;
  }

  /**
   * Several statements, without parameters. Transactions begin and end here: a prepared `begin` that met
   * SQLITE_BUSY stays in progress, and no commit goes through afterwards.
   */
  exec(sql: string): void {
    this.#connection.exec(sql);
  }

  all(sql: string, parameters: readonly Value[] = []): readonly Row[] {
    return this.#statement(sql).all(parameters) as Row[];
  }

  /** The first row. Not the library's own `get`: that leaves the statement open, and a commit then finds it in progress. */
  get(sql: string, parameters: readonly Value[] = []): Row | undefined {
    return this.all(sql, parameters)[0];
  }

  close(): void {
    this.#prepared.clear();
    this.#connection.close();
  }

  #statement(sql: string): Prepared {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) {
      statement = this.#connection.prepare(sql);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }
}
