import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';

/** A connection that has nothing to do with the driver: an administrator's, or a stranger's. Ends at the end of the block. */
export class RawConnection implements AsyncDisposable {
  readonly connection: Connection;

  private constructor(connection: Connection) {
    this.connection = connection;
    // It may be killed too: what it was asked then says so.
    connection.on('error', () => {});
  }

  static async open(url: string): Promise<RawConnection> {
    return new RawConnection(await createConnection({ uri: url, supportBigNumbers: true }));
  }

  /** Begins a transaction that locks rows, not the gaps between them: those would stop every insert there is. */
  async begin(): Promise<void> {
    await this.run('set session transaction isolation level read committed');
    await this.connection.beginTransaction();
  }

  async rows(sql: string, values: readonly unknown[] = []): Promise<RowDataPacket[]> {
    const [rows] = await this.connection.query(sql, values as unknown[]);
    return rows as RowDataPacket[];
  }

  async run(sql: string, values: readonly unknown[] = []): Promise<void> {
    await this.connection.query(sql, values as unknown[]);
  }

  /** The first column of the first row. */
  async value(sql: string, values: readonly unknown[] = []): Promise<unknown> {
    const [row] = await this.rows(sql, values);
    return row === undefined ? undefined : Object.values(row)[0];
  }

  /** Messages in the table, in whatever state. */
  async messages(): Promise<number> {
    return Number(await this.value('select count(*) from signalbox_messages'));
  }

  /** How many connections to this database are in a call of sleep(). */
  async asleep(): Promise<number> {
    const sql = "select count(*) from information_schema.processlist where db = database() and state = 'User sleep'";
    return Number(await this.value(sql));
  }

  /** The ids of other connections to this database. */
  async others(): Promise<readonly number[]> {
    const rows = await this.rows(
      'select id from information_schema.processlist where db = database() and id <> connection_id() order by id',
    );
    return rows.map((row) => Number(Object.values(row)[0]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connection.end().catch(() => this.connection.destroy());
  }
}
