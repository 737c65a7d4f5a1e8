import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { rateOf } from './pace.js';

/** The driver's table with what waits for groups, under its default prefix. */
const modelTable = 'signalbox_messages';
const columns = '(box, visible_after, due_at, nonce, published_at, format, message_id, headers, body)';

/**
 * The server without signalbox: the same rows in a table with the same columns and indexes, as many connections as
 * the driver has, from the same process.
 */
export class RawMysql implements AsyncDisposable {
  readonly #table: string;
  readonly #connections: readonly Connection[];
  #rows = 0;

  private constructor(table: string, connections: readonly Connection[]) {
    this.#table = table;
    this.#connections = connections;
  }

  /** The driver has made its tables before. */
  static async open(url: string, run: string, connections: number): Promise<RawMysql> {
    const uri = plainUrl(url);
    const made = await Promise.all(Array.from({ length: connections }, () => createConnection(uri)));
    const raw = new RawMysql(`bench_raw_${run}`, made);
    await raw.#first.query(`create table ${raw.#table} like ${modelTable}`);
    return raw;
  }

  /** `ins1`: one connection, one row, autocommit. */
  insertOne(seconds: number, bytes: number): Promise<number> {
    return rateOf(seconds, 1, () => this.#insert(this.#first, 1, bytes));
  }

  /** One row each on so many connections at once. */
  async insertOneEach(seconds: number, bytes: number): Promise<number> {
    const rates = this.#connections.map((connection) => rateOf(seconds, 1, () => this.#insert(connection, 1, bytes)));
    return sum(await Promise.all(rates));
  }

  /** Rows per second in statements of 100, on all connections. */
  async insertHundreds(seconds: number, bytes: number): Promise<number> {
    const rates = this.#connections.map((connection) =>
      rateOf(seconds, 1, () => this.#insert(connection, 100, bytes), 100),
    );
    return sum(await Promise.all(rates));
  }

  /** Rows per second, deleted by primary key, 100 in a statement, on one connection. */
  async deleteHundreds(statements: number): Promise<number> {
    for (let i = 0; i < statements; i++) await this.#insert(this.#first, 100, 200);
    const limit = statements * 100;
    const [rows] = await this.#first.query<RowDataPacket[]>(`select id from ${this.#table} order by id limit ${limit}`);
    const ids = rows.map(({ id }) => Number(id));
    const startedAt = performance.now();
    for (let from = 0; from < ids.length; from += 100) {
      await this.#first.query(`delete from ${this.#table} where id in (${ids.slice(from, from + 100).join(',')})`);
    }
    return (ids.length * 1_000) / (performance.now() - startedAt);
  }

  /** Makes `rows` rows of the driver's own table out of those that a topic has, of the delayed or of the others. */
  async multiply(topic: string, which: 'ready' | 'delayed', rows: number): Promise<void> {
    const of = `from ${modelTable} m join signalbox_groups g on g.id = m.box join signalbox_topics t on t.id = g.topic_id where t.name = ? and m.visible_after ${which === 'ready' ? '<' : '>'} ?`;
    const copied =
      'box, stage, visible_after, due_at, attempt, postpones, published_at, format, message_id, headers, body';
    const list = copied.replace(/\b(\w+)\b/g, 'm.$1');
    const values = [topic, Date.now() + 600_000];
    for (;;) {
      const [[count]] = await this.#first.query<RowDataPacket[]>(`select count(*) as n ${of}`, values);
      const missing = rows - Number(count?.n);
      if (missing <= 0) return;
      const limited = `select ${list} ${of} limit ${missing}`;
      await this.#first.query(`insert into ${modelTable} (${copied}) ${limited}`, values);
    }
  }

  /** Statements that clients have sent to the server since it started. */
  async questions(): Promise<number> {
    const [[row]] = await this.#first.query<RowDataPacket[]>("show global status like 'Questions'");
    return Number(row?.Value);
  }

  async empty(): Promise<void> {
    await this.#first.query(`truncate table ${this.#table}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#first.query(`drop table ${this.#table}`);
    await Promise.all(this.#connections.map((connection) => connection.end()));
  }

  get #first(): Connection {
    const [first] = this.#connections;
    if (first === undefined) throw new RangeError('raw measurements need a connection');
    return first;
  }

  #insert(connection: Connection, rows: number, bytes: number): Promise<unknown> {
    const now = Date.now();
    const body = 'n'.repeat(bytes);
    const row = (): unknown[] => {
      const n = ++this.#rows;
      return [1, now, now, `raw/${n}`, now, 1, `01936f00-0000-7000-8000-${String(n).padStart(12, '0')}`, '{}', body];
    };
    const values = Array.from({ length: rows }, row);
    return connection.query(`insert into ${this.#table} ${columns} values ?`, [values]);
  }
}

/** Without the driver's own options, which mysql2 does not know. */
function plainUrl(url: string): string {
  const plain = new URL(url);
  plain.search = '';
  plain.protocol = 'mysql:';
  return plain.href;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
