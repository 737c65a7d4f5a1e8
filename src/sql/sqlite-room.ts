import { statSync } from 'node:fs';
import type { SqliteConnection } from './sqlite-connection.js';
import { type Ask, ask } from './sqlite-steps.js';
import type { SqliteWriter } from './sqlite-writer.js';

/** Pages that stay in the file for what comes next: 16 MiB. */
const keptFreePages = 4_096;
/** Given back in one transaction, in which the event loop stands still: some milliseconds. */
const pagesAtOnce = 512;
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
  /** Prepared, this statement would stay in progress: it stops after each page. */
  readonly #exec: Ask = (sql) => {
    this.#connection.exec(sql);
    return [];
  };
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

  /** Begins to tidy, if there is anything to; what fails is tried again the next time. */
  tidy(): void {
    if (!this.#due || this.#tidying) return;
    this.#due = false;
    this.#tidying = true;
    void this.#tidy()
      .catch(() => {
        this.#due = true;
      })
      .finally(() => {
        this.#tidying = false;
      });
  }

  async #tidy(): Promise<void> {
    if (await this.#giveBack()) {
      // Only then is the file itself cut.
      this.#connection.exec('pragma wal_checkpoint(passive)');
    }
    if (!this.#logIsLong()) return;
    // Does nothing where somebody reads or writes, and throws nothing.
    this.#connection.exec('pragma wal_checkpoint(truncate)');
    this.#due = this.#logIsLong();
  }

  /** Answers whether there was anything to give back, and it could be: a file that was made without us may keep all it has. */
  async #giveBack(): Promise<boolean> {
    let gaveBack = false;
    for (let before = this.#pages(); hasMuchFree(before); ) {
      await this.#writer.write({ ask: this.#exec, patienceMs, durable: false }, () =>
        ask(`pragma incremental_vacuum(${pagesAtOnce})`),
      );
      const after = this.#pages();
      if (after.all >= before.all) break;
      gaveBack = true;
      before = after;
    }
    return gaveBack;
  }

  #logIsLong(): boolean {
    return (statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > longLogBytes;
  }

  #pages(): Pages {
    return {
      free: Number(this.#connection.get('pragma freelist_count')?.freelist_count),
      all: Number(this.#connection.get('pragma page_count')?.page_count),
    };
  }
}

interface Pages {
  readonly free: number;
  readonly all: number;
}

/** More than a quarter of the file: less is likely to be used again. */
function hasMuchFree({ free, all }: Pages): boolean {
  return free > keptFreePages && free > all / 4;
}
