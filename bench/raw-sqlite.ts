import Libsql from 'libsql';
import { rateOf } from './pace.js';

/** The driver's table with what waits for groups, under its default prefix. */
const insertSql = `insert into signalbox_messages (group_id, state, place, due_at, attempt, postpones, message_id, body, published_at, format)
  values (1, 0, ?, ?, 1, 0, ?, ?, ?, 1)`;

/** SQLite without signalbox: the same rows in a table with the same columns and indexes, with the same settings, from the same process. */
export class RawSqlite implements Disposable {
  readonly #database: InstanceType<typeof Libsql>;
  readonly #insert: ReturnType<InstanceType<typeof Libsql>['prepare']>;
  #rows = 0;

  /** A file that a driver has made before, and that nobody else uses now. */
  constructor(path: string, synchronous: string) {
    this.#database = new Libsql(path);
    this.#database.exec(`pragma synchronous = ${synchronous}`);
    this.#insert = this.#database.prepare(insertSql);
  }

  /** Rows per second, a transaction each. */
  insertOne(seconds: number, bytes: number): Promise<number> {
    return rateOf(seconds, 1, async () => this.#store(bytes));
  }

  /** Rows per second in transactions of 100. */
  insertHundreds(seconds: number, bytes: number): Promise<number> {
    return rateOf(seconds, 1, async () => this.#transaction(100, () => this.#store(bytes)), 100);
  }

  /** Rows per second, deleted by their number, a transaction each. */
  deleteOne(count: number): number {
    return this.#delete(count, 1);
  }

  /** The same in transactions of 100. */
  deleteHundreds(count: number): number {
    return this.#delete(count, 100);
  }

  empty(): void {
    this.#database.exec('delete from signalbox_messages');
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #delete(count: number, at: number): number {
    this.empty();
    for (let i = 0; i < count; i += 100) this.#transaction(100, () => this.#store(200));
    const ids = this.#database.prepare('select row_id from signalbox_messages').all() as { row_id: number }[];
    const remove = this.#database.prepare('delete from signalbox_messages where row_id = ?');
    const startedAt = performance.now();
    for (let from = 0; from < ids.length; from += at) {
      let next = from;
      this.#transaction(Math.min(at, ids.length - from), () => remove.run([ids[next++]?.row_id]));
    }
    return (ids.length * 1_000) / (performance.now() - startedAt);
  }

  #transaction(times: number, work: () => unknown): void {
    this.#database.exec('begin immediate');
    for (let i = 0; i < times; i++) work();
    this.#database.exec('commit');
  }

  #store(bytes: number): void {
    const n = ++this.#rows;
    const now = Date.now();
    const id = `01936f00-0000-7000-8000-${String(n).padStart(12, '0')}`;
    this.#insert.run([n, now, id, Buffer.alloc(bytes, 110), now]);
  }
}
