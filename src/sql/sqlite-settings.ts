import { Refusal } from '../queue/driver.js';
import { defaultTablePrefix, tablePrefixFault } from './migration.js';

/** Where tables are and how they are used: what a queue and a build store on a file have in common. */
export interface SqliteTableOptions {
  /**
   * The file; made, with its folder, unless it is there. Several processes of one machine may use it at once; queues and build stores
   * may share it.
   */
  readonly path: string;
  /** In front of the names of all tables. Default: `signalbox_`. */
  readonly tablePrefix?: string | undefined;
  /** Whether tables are made where there are none. Default: true. Existing tables are changed by `signalbox migrate` alone. */
  readonly createTables?: boolean | undefined;
  /**
   * `full` (default): what was published survives a power failure. `normal`: it survives the end of every process, and
   * the last commits may be gone after the machine itself went down; about twice as fast on slow disks. One process has a file
   * open once: where its users differ, it is `full` for all.
   */
  readonly synchronous?: 'full' | 'normal' | undefined;
  /**
   * How long one try of a call waits for somebody else's transaction before it is `unavailable`, in milliseconds. What a queue
   * publishes and settles is tried again until its deadline of 30 s. Default: 20 000.
   */
  readonly lockTimeoutMs?: number | undefined;
}

export interface SqliteTableSettings {
  readonly path: string;
  readonly tablePrefix: string;
  readonly createTables: boolean;
  readonly synchronous: 'full' | 'normal';
  readonly patienceMs: number;
}

export const sqliteTableOptions = ['path', 'tablePrefix', 'createTables', 'synchronous', 'lockTimeoutMs'] as const;

/** Throws an `invalid` refusal for what cannot be. */
export function sqliteTableSettings(
  options: { readonly [name in keyof SqliteTableOptions]?: unknown },
): SqliteTableSettings {
  const { path, tablePrefix = defaultTablePrefix, createTables = true } = options;
  const { synchronous = 'full', lockTimeoutMs = 20_000 } = options;
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw invalid('path is no path of a file', 'give one, such as ".signalbox/queue.db"');
  }
  if (path === ':memory:') throw invalid('":memory:" would be gone with its process', 'use the memory driver for that');
  if (typeof tablePrefix !== 'string') throw invalid('tablePrefix is no text', 'give letters, digits and underscores');
  const fault = tablePrefixFault(tablePrefix);
  if (fault !== null) throw invalid(`the table prefix ${JSON.stringify(tablePrefix)} ${fault}`, 'choose another one');
  // Such names are SQLite's own.
  if (tablePrefix.startsWith('sqlite_'))
    throw invalid(`the table prefix "${tablePrefix}" is SQLite's`, 'choose another one');
  if (typeof createTables !== 'boolean') {
    throw invalid('createTables is neither true nor false', 'leave it out for true');
  }
  if (synchronous !== 'full' && synchronous !== 'normal') {
    throw invalid(`synchronous is ${JSON.stringify(synchronous)}`, 'give "full" or "normal"');
  }
  return { path, tablePrefix, createTables, synchronous, patienceMs: milliseconds('lockTimeoutMs', lockTimeoutMs) };
}

/** Throws an `invalid` refusal for what is no time above 0. */
export function milliseconds(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  throw invalid(`${name} is ${typeof value === 'number' ? value : 'no number'}`, 'give milliseconds above 0');
}

function invalid(fault: string, remedy: string): Refusal {
  return new Refusal('invalid', fault, remedy);
}
