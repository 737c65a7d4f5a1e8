import { accessSync, constants, mkdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { Refusal, systemClock } from '../driver.js';
import { Bell } from './bell.js';
import { type Catalogue, readCatalogue } from './catalogue.js';
import { Database, type Row, type Value } from './database.js';
import { tables } from './schema.js';
import { type Steps, takeSteps } from './steps.js';
import { watchDatabase } from './watch.js';
import { Writer } from './writer.js';

export interface FileOptions {
  readonly synchronous: 'full' | 'normal';
  readonly patienceMs: number;
}

/** How often a process looks whether somebody wrote, where nobody told it: on the machine's clock, whatever times the file has. */
const probeMs = 500;

const opened = new Map<string, DatabaseFile>();

/**
 * A file as this process has it open: one connection, one writer and one watcher for all drivers on it,
 * which tell each other at once what they wrote.
 */
export class DatabaseFile {
  readonly bell = new Bell();
  readonly #path: string;
  readonly #database: Database;
  readonly #writer: Writer;
  readonly #stopWatching: () => void;
  readonly #onProbe = new Set<() => void>();
  #stopProbing: () => void = () => {};
  #catalogue: Catalogue | null = null;
  #version: Value = null;
  #users = 0;

  /** Opens a file for one more driver. Throws a refusal that says what is wrong with the file, or what libsql throws. */
  static open(path: string, options: FileOptions): DatabaseFile {
    const real = realPath(path);
    const file = opened.get(real) ?? new DatabaseFile(real, options);
    opened.set(real, file);
    file.#users++;
    return file;
  }

  private constructor(path: string, { synchronous, patienceMs }: FileOptions) {
    this.#path = path;
    this.#database = new Database(path);
    try {
      this.#database.exec('pragma journal_mode = wal');
      this.#database.exec(`pragma synchronous = ${synchronous}`);
    } catch (error) {
      this.#database.close();
      throw error;
    }
    this.#writer = new Writer(this.#database, patienceMs, () => this.#wrote());
    this.#stopWatching = watchDatabase(path, () => this.#look());
    this.#probe();
  }

  get path(): string {
    return this.#path;
  }

  /** Makes the tables that are missing. */
  migrate(): Promise<void> {
    return this.#writer.write(function* () {
      for (const sql of tables) yield { sql, parameters: [] };
    });
  }

  /** Carries steps out in a transaction of its own or together with others; see `Writer`. */
  write<T>(steps: (catalogue: Catalogue) => Steps<T>): Promise<T> {
    const known = () => this.#catalogue;
    const keep = (catalogue: Catalogue): void => {
      this.#catalogue = catalogue;
    };
    return this.#writer.write(function* (): Steps<T> {
      const catalogue = yield* readCatalogue(known());
      keep(catalogue);
      return yield* steps(catalogue);
    });
  }

  /** Reads what is committed, without a lock and without waiting. */
  read<T>(steps: (catalogue: Catalogue) => Steps<T>): T {
    const { catalogue } = this;
    return takeSteps(this.#database, steps(catalogue));
  }

  all(sql: string, parameters: readonly Value[]): readonly Row[] {
    return this.#database.all(sql, parameters);
  }

  get catalogue(): Catalogue {
    this.#catalogue = takeSteps(this.#database, readCatalogue(this.#catalogue));
    return this.#catalogue;
  }

  /** Calls back now and then, for what nobody tells: a process that died. Answers a function that ends it. */
  onProbe(callback: () => void): () => void {
    this.#onProbe.add(callback);
    return () => this.#onProbe.delete(callback);
  }

  /** One driver fewer; the last one closes the file. */
  leave(): void {
    this.#users--;
    if (this.#users > 0) return;
    opened.delete(this.#path);
    this.#stopWatching();
    this.#stopProbing();
    this.#database.close();
  }

  #wrote(): void {
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

  #dataVersion(): Value {
    return this.#database.get('pragma data_version')?.data_version ?? null;
  }

  #probe(): void {
    this.#stopProbing = systemClock.schedule(() => {
      this.#look();
      for (const callback of [...this.#onProbe]) callback();
      this.#probe();
    }, probeMs);
  }
}

/** The file's one name, whatever links and dots lead to it, so that a process opens it once. Makes the folder. */
function realPath(path: string): string {
  const absolute = resolve(path);
  const folder = dirname(absolute);
  try {
    mkdirSync(folder, { recursive: true });
    const real = join(realpathSync(folder), basename(absolute));
    const stats = statSync(real, { throwIfNoEntry: false });
    if (stats?.isDirectory()) throw new Refusal('invalid', `${path} is a folder`, 'give the path of a file in it');
    accessSync(stats === undefined ? folder : real, constants.R_OK | constants.W_OK);
    return stats === undefined ? real : realpathSync(real);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const denied = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
    throw new Refusal(
      denied ? 'denied' : 'unavailable',
      `${path} cannot be opened for reading and writing (${code ?? String(error)})`,
      'give a path in a folder where this process may write',
    );
  }
}
