import { type Connection, type ConnectionOptions, createConnection, type ResultSetHeader } from 'mysql2';
import {
  answerWithinMs,
  type LinkSettings,
  type LinkSource,
  type OwnLink,
  type Row,
  sessionSettings,
  timedOut,
  type Written,
} from './link.js';
import type { SqlValue } from './sql-values.js';

/** Links over connections of this driver's own. */
export class OwnConnections implements LinkSource {
  readonly #options: ConnectionOptions;

  constructor(options: ConnectionOptions) {
    this.#options = {
      connectTimeout: 10_000,
      ...options,
      supportBigNumbers: true,
      bigNumberStrings: false,
      multipleStatements: false,
      rowsAsArray: false,
      dateStrings: false,
      charset: 'utf8mb4',
    };
  }

  async connect(settings: LinkSettings): Promise<OwnLink> {
    const link = new ConnectionLink(createConnection(this.#options));
    try {
      await link.connected;
      for (const setting of sessionSettings(settings)) await link.write(setting);
      return link;
    } catch (error) {
      link.destroy(error);
      throw error;
    }
  }

  async close(): Promise<void> {}
}

/** A connection of the driver's own. Every call ends: with an answer, with the end of the connection, or after a time that breaks it. */
class ConnectionLink implements OwnLink {
  readonly connected: Promise<void>;
  onLost: (cause: unknown) => void = () => {};
  readonly #connection: Connection;
  readonly #pending = new Set<(error: unknown) => void>();
  #ended = false;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.connected = new Promise((resolve, reject) => {
      this.#pending.add(reject);
      connection.connect((error) => {
        this.#pending.delete(reject);
        if (error) reject(error);
        else resolve();
      });
    });
    connection.on('error', (error: unknown) => this.#lose(error));
    connection.on('end', () => this.#lose(connectionLost()));
  }

  get alive(): boolean {
    return !this.#ended;
  }

  async rows(sql: string, values: readonly SqlValue[] = []): Promise<readonly Row[]> {
    return (await this.#query(sql, values)) as readonly Row[];
  }

  async write(sql: string, values: readonly SqlValue[] = []): Promise<Written> {
    return (await this.#query(sql, values)) as ResultSetHeader;
  }

  end(): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.destroy(connectionLost()), 1_000);
      const done = (): void => {
        clearTimeout(timer);
        this.destroy(connectionLost());
        resolve();
      };
      this.#pending.add(done);
      this.#connection.end(done);
    });
  }

  destroy(cause: unknown): void {
    this.#ended = true;
    this.#connection.destroy();
    this.#reject(cause);
  }

  #query(sql: string, values: readonly SqlValue[]): Promise<unknown> {
    if (this.#ended) return Promise.reject(connectionLost());
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#lose(timedOut()), answerWithinMs);
      const fail = (error: unknown): void => {
        clearTimeout(timer);
        this.#pending.delete(fail);
        reject(error);
      };
      this.#pending.add(fail);
      // Of no values mysql2 would still look for their places, letter by letter, through the whole text of a batch.
      const bound = values.length === 0 ? null : values;
      this.#connection.query(sql, bound as unknown[], (error, answer) => {
        if (error) {
          fail(error);
          // mysql2 tells whoever has a call under way and emits no event besides.
          if (error.fatal) this.#lose(error);
          return;
        }
        clearTimeout(timer);
        this.#pending.delete(fail);
        resolve(answer);
      });
    });
  }

  #lose(cause: unknown): void {
    if (this.#ended) return;
    this.destroy(cause);
    this.onLost(cause);
  }

  /** mysql2 tells nobody whose call was under way when a connection was destroyed. */
  #reject(cause: unknown): void {
    const pending = [...this.#pending];
    this.#pending.clear();
    for (const reject of pending) reject(cause);
  }
}

function connectionLost(): Error {
  return Object.assign(new Error('the connection to the database has ended'), { code: 'PROTOCOL_CONNECTION_LOST' });
}
