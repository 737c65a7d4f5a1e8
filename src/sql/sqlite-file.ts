import { statSync } from 'node:fs';
import { Refusal, systemClock } from '../queue/driver.js';
import { Bell } from './bell.js';
import { SqliteConnection, type SqliteValue } from './sqlite-connection.js';
import { isBusy } from './sqlite-errors.js';
import { SqliteFull } from './sqlite-full.js';
import { pastLocks } from './sqlite-lock.js';
import { sqlitePath } from './sqlite-path.js';
import { SqliteRoom } from './sqlite-room.js';
import { type Ask, ask, type Steps } from './sqlite-steps.js';
import { watchSqlite } from './sqlite-watch.js';
import { SqliteWriter, type WriteOptions } from './sqlite-writer.js';

export interface SqliteFileOptions {
  readonly synchronous: 'full' | 'normal';
  /** How long a call waits for somebody else's transaction. */
  readonly patienceMs: number;
}

/** How often a process looks whether somebody wrote, where nobody told it: on the machine's clock, whatever times the file has. */
const probeMs = 500;

/** What the write-ahead log is cut down to once it has been carried over. */
const keptLogBytes = 16 * 1024 * 1024;

/** How long what nobody waits for waits for somebody else's transaction. */
const trialPatienceMs = 100;

const opened = new Map<string, SqliteFile>();

/**
 * A file as this process has it open: one connection, one writer and one watcher for all that use it here,
 * who tell each other at once what they wrote.
 */
export class SqliteFile {
  readonly bell = new Bell();
  readonly path: string;
  readonly #connection: SqliteConnection;
  readonly #writer: SqliteWriter;
  readonly #room: SqliteRoom;
  readonly #full = new SqliteFull(() => this.#writeOnTrial());
  readonly #stopWatching: () => void;
  #synchronous: 'full' | 'normal';
  /** What the connection does at present. */
  #synchronousNow: 'full' | 'normal';
  readonly #onProbe = new Set<() => void>();
  readonly #onGone = new Set<(refusal: Refusal) => void>();
  #stopProbing: () => void = () => {};
  #version: SqliteValue = null;
  /** Null until it is certain that there is a file. */
  #inode: number | null = null;
  #users = 0;
  #gone = false;
  #ready: Promise<void>;

  /**
   * Opens a file, made unless it is there, for one more user, who calls `leave` in the end. Where users differ in how commits are
   * synchronised, `full` holds for all of them. Rejects with a refusal that says what is wrong with the file, or with what libsql throws.
   */
  static async open(path: string, options: SqliteFileOptions): Promise<SqliteFile> {
    const real = sqlitePath(path);
    const known = opened.get(real);
    const file = known === undefined || known.#isReplaced() ? new SqliteFile(real, options) : known;
    opened.set(real, file);
    file.#users++;
    if (options.synchronous === 'full') file.#synchronous = 'full';
    try {
      await file.#ready;
      return file;
    } catch (error) {
      file.leave();
      throw error;
    }
  }

  private constructor(path: string, options: SqliteFileOptions) {
    this.path = path;
    this.#synchronous = options.synchronous;
    this.#synchronousNow = options.synchronous;
    this.#connection = new SqliteConnection(path);
    this.#ready = prepare(this.#connection, options).then(() => {
      this.#inode = statSync(path).ino;
    });
    this.#writer = new SqliteWriter(this.#connection, {
      onBegin: (durable) => {
        // At each commit, some 8 us: what is written to a file that is gone reaches nobody.
        this.#lookForFile();
        this.check();
        this.#synchronise(durable ? this.#synchronous : 'normal');
      },
      onCommitted: () => this.#wrote(),
      onFailed: (error) => this.#full.failed(error),
    });
    this.#room = new SqliteRoom(path, this.#connection, this.#writer);
    this.#stopWatching = watchSqlite(path, () => this.#look());
    this.#probe();
  }

  get connection(): SqliteConnection {
    return this.#connection;
  }

  /** Carries steps out in a transaction of its own or together with others; see `SqliteWriter`. */
  async write<T>(options: WriteOptions, steps: () => Steps<T>): Promise<T> {
    this.check();
    return this.#writer.write(options, steps);
  }

  get isGone(): boolean {
    return this.#gone;
  }

  /** Throws an `unavailable` refusal, for good, once the file is no longer the one that was opened: what is written would reach nobody. */
  check(): void {
    if (this.#gone) throw this.#goneRefusal();
  }

  /** The error that says that somebody has the write lock at this moment, also in this process; null where nobody has it. */
  lockedBy(): unknown {
    try {
      this.#connection.exec('begin immediate; rollback');
      return null;
    } catch (error) {
      if (isBusy(error)) return error;
      throw error;
    }
  }

  /** Calls back now and then, for what nobody tells: a process that died. Answers a function that ends it. */
  onProbe(callback: () => void): () => void {
    this.#onProbe.add(callback);
    return () => this.#onProbe.delete(callback);
  }

  /** Calls back once, when the file is found to be removed or replaced. Answers a function that ends it. */
  onGone(callback: (refusal: Refusal) => void): () => void {
    this.#onGone.add(callback);
    return () => this.#onGone.delete(callback);
  }

  /** Whether the disk has no room for what is written: see `SqliteFull`. */
  get isFull(): boolean {
    return this.#full.isFull;
  }

  /** Calls back when the disk becomes full, and when it has room again. Answers a function that ends it. */
  onFull(callback: (full: boolean) => void): () => void {
    return this.#full.onChange(callback);
  }

  /** One user fewer; the last one closes the file. */
  leave(): void {
    this.#users--;
    if (this.#users > 0) return;
    if (opened.get(this.path) === this) opened.delete(this.path);
    this.#stopWatching();
    this.#stopProbing();
    this.#connection.close();
  }

  /** `full`: a commit is on the disk when it is answered. `normal`: the next one that is `full` takes it along; until then it is safe from all but the machine's end. */
  #synchronise(how: 'full' | 'normal'): void {
    if (how === this.#synchronousNow) return;
    this.#connection.exec(`pragma synchronous = ${how}`);
    this.#synchronousNow = how;
  }

  /** Writes the application's number in the head of the file as it is: one page, which needs room in the log like any other. */
  #writeOnTrial(): Promise<unknown> {
    const exec: Ask = (sql) => {
      this.#connection.exec(sql);
      return [];
    };
    return this.#writer.write({ ask: exec, patienceMs: trialPatienceMs, durable: false }, () =>
      ask(`pragma user_version = ${this.#connection.get('pragma user_version')?.user_version}`),
    );
  }

  #wrote(): void {
    this.#room.wrote();
    this.#version = this.#dataVersion();
    this.bell.ring();
  }

  /** Somebody else's commit changes the version, ours does not: what we wrote ourselves is told already. */
  #look(): void {
    const version = this.#dataVersion();
    if (version === this.#version) return;
    this.#version = version;
    this.bell.ring();
  }

  /** Null while it cannot be told: somebody is recovering the file, or closing it as its last user. */
  #dataVersion(): SqliteValue {
    try {
      return this.#connection.get('pragma data_version')?.data_version ?? null;
    } catch {
      return null;
    }
  }

  #lookForFile(): void {
    if (this.#gone || !this.#isReplaced()) return;
    this.#gone = true;
    for (const callback of [...this.#onGone]) callback(this.#goneRefusal());
    this.bell.ring();
  }

  #goneRefusal(): Refusal {
    return new Refusal(
      'unavailable',
      `${this.path} was removed or replaced while it was open`,
      'never move the file of a queue that is in use; open it again to use what is there now',
      { retryable: false },
    );
  }

  #isReplaced(): boolean {
    return this.#inode !== null && statSync(this.path, { throwIfNoEntry: false })?.ino !== this.#inode;
  }

  #probe(): void {
    this.#stopProbing = systemClock.schedule(() => {
      this.#lookForFile();
      this.#look();
      for (const callback of [...this.#onProbe]) callback();
      if (!this.#gone) {
        this.#room.tidy();
        this.#full.look();
      }
      this.#probe();
    }, probeMs);
  }
}

/** A fresh file takes an exclusive lock for this, and several processes may open it at once. */
async function prepare(connection: SqliteConnection, { synchronous, patienceMs }: SqliteFileOptions): Promise<void> {
  await pastLocks(patienceMs, () => {
    // Has to come before the first table, and before the log; on a file that has tables it changes nothing, but would take the lock.
    if (connection.get('pragma page_count')?.page_count === 0) connection.exec('pragma auto_vacuum = incremental');
    connection.exec('pragma journal_mode = wal');
    connection.exec(`pragma synchronous = ${synchronous}; pragma journal_size_limit = ${keptLogBytes}`);
  });
  const mode = connection.get('pragma journal_mode')?.journal_mode;
  if (mode !== 'wal') {
    throw new Refusal(
      'unsupported',
      `the file cannot have a write-ahead log (its journal is "${String(mode)}")`,
      'put it on a file system of this machine: several processes cannot share it on that one',
    );
  }
}
