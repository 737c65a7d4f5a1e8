import { statSync } from 'node:fs';
import type { SqliteConnection } from './sqlite-connection.js';
import type { SqliteWriter } from './sqlite-writer.js';

/** Pages that stay in the file for what comes next: 8 MiB. */
const keptFreePages = 2_048;
/** Given back in one transaction. */
const pagesAtOnce = 2_048;
/** Where a log has grown to this while somebody read, it is emptied as soon as nobody does. */
const longLogBytes = 64 * 1024 * 1024;
const patienceMs = 100;

/**
 * Keeps the file as small as what is in it, and its log short. SQLite uses free pages again but never gives them back by itself;
 * and a log begins anew only when a commit meets nobody who reads from it. Looked at after writing, at most twice a second;
 * whoever wrote tidies.
 */
export class SqliteRoom {
  readonly #path: string;
  readonly #connection: SqliteConnection;
  readonly #writer: SqliteWriter;
  #due = false;
  #tidying = false;

  constructor(path: string, connection: SqliteConnection, writer: SqliteWriter) {
    this.#path = path;
    this.#connection = connection;
    this.#writer = writer;
  }

  wrote(): void {
    this.#due = true;
  }

  /** Begins to tidy, if there is anything to; what fails is tried again after the next write. */
  tidy(): void {
    if (!this.#due || this.#tidying) return;
    this.#due = false;
    this.#tidying = true;
    void this.#tidy()
      .catch(() => {})
      .finally(() => {
        this.#tidying = false;
      });
  }

  async #tidy(): Promise<void> {
    while (this.#hasMuchFree()) {
      await this.#writer.write({ ask: (sql) => this.#connection.all(sql), patienceMs }, function* () {
        yield { sql: `pragma incremental_vacuum(${pagesAtOnce})`, parameters: [] };
      });
    }
    if ((statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > longLogBytes) {
      // Answers "busy" where somebody reads or writes, and throws nothing.
      this.#connection.exec('pragma wal_checkpoint(truncate)');
    }
  }

  /** More than a quarter of the file: less is likely to be used again. */
  #hasMuchFree(): boolean {
    const free = Number(this.#connection.get('pragma freelist_count')?.freelist_count);
    const all = Number(this.#connection.get('pragma page_count')?.page_count);
    return free > keptFreePages + pagesAtOnce && free > all / 4;
  }
}
