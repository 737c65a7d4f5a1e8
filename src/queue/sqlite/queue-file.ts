import type { Bell } from '../../sql/bell.js';
import type { SqliteRow, SqliteValue } from '../../sql/sqlite-connection.js';
import type { Steps } from '../../sql/sqlite-steps.js';
import type { SqliteTables, TableWriteOptions } from '../../sql/sqlite-tables.js';
import { type Catalogue, readCatalogue } from './catalogue.js';

/**
 * How long whoever leaves, or only looks, waits for somebody else's transaction: what is not written then is found by others, or ends with
 * its lease.
 */
export const leavingMs = 500;

/** A queue's tables in a file, and the catalogue as it was when somebody looked last. */
export class QueueFile {
  readonly #tables: SqliteTables;
  #catalogue: Catalogue | null = null;

  constructor(tables: SqliteTables) {
    this.#tables = tables;
  }

  get bell(): Bell {
    return this.#tables.file.bell;
  }

  get tables(): SqliteTables {
    return this.#tables;
  }

  /** See `SqliteTables.write`. */
  write<T>(steps: (catalogue: Catalogue) => Steps<T>, options: TableWriteOptions = {}): Promise<T> {
    return this.#tables.write(() => this.#knowing(steps), options);
  }

  /** See `SqliteTables.read`. */
  read<T>(steps: (catalogue: Catalogue) => Steps<T>): Promise<T> {
    return this.#tables.read(() => this.#knowing(steps));
  }

  all(sql: string, parameters: readonly SqliteValue[]): Promise<readonly SqliteRow[]> {
    return this.#tables.all(sql, parameters);
  }

  catalogue(): Promise<Catalogue> {
    return this.#tables.read(() => this.#latest());
  }

  *#knowing<T>(steps: (catalogue: Catalogue) => Steps<T>): Steps<T> {
    return yield* steps(yield* this.#latest());
  }

  *#latest(): Steps<Catalogue> {
    this.#catalogue = yield* readCatalogue(this.#catalogue);
    return this.#catalogue;
  }
}
