import {
  milliseconds,
  type SqliteTableOptions,
  type SqliteTableSettings,
  sqliteTableOptions,
  sqliteTableSettings,
} from '../../sql/sqlite-settings.js';
import { readSqliteUrl } from '../../sql/sqlite-url.js';
import { type Clock, QueueError, Refusal, systemClock } from '../driver.js';

export interface SqliteOptions extends SqliteTableOptions {
  /** How long a hand-out is kept for its holder unless extended, in milliseconds. Default: 30 000. */
  readonly leaseMs?: number | undefined;
  /** For tests: every time in the file is this clock's. Default: the machine's time of day. */
  readonly clock?: Clock | undefined;
}

export interface SqliteSettings extends SqliteTableSettings {
  readonly leaseMs: number;
  /** What runs timers. */
  readonly clock: Clock;
  readonly givenClock: Clock | null;
  /** What times in the file are: the same for all processes of the machine, which a clock of one process is not. */
  readonly now: () => number;
}

const names: readonly string[] = [...sqliteTableOptions, 'leaseMs', 'clock'];

/** Throws `invalid` for unknown options, and for those that cannot be. */
export function settingsOf(options: SqliteOptions): SqliteSettings {
  try {
    return checked(options);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new QueueError(`cannot make a sqlite driver: ${error.message}; ${error.remedy}`, {
      code: 'invalid',
      backend: 'sqlite',
    });
  }
}

/** `sqlite:PATH?leaseMs=…&synchronous=…&lockTimeoutMs=…&tablePrefix=…&createTables=…`. Throws `invalid` refusals. */
export function settingsFromUrl(url: string): SqliteSettings {
  return checked(readSqliteUrl(url));
}

function checked(options: { readonly [name in keyof SqliteOptions]?: unknown }): SqliteSettings {
  if (typeof options !== 'object' || options === null) {
    throw new Refusal('invalid', 'the options are no object', 'give at least a path');
  }
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new Refusal('invalid', `unknown option ${JSON.stringify(unknown)}`, `there are ${names.join(', ')}`);
  }
  const clock = (options.clock ?? null) as Clock | null;
  return {
    ...sqliteTableSettings(options),
    leaseMs: milliseconds('leaseMs', options.leaseMs ?? 30_000),
    clock: clock ?? systemClock,
    givenClock: clock,
    now: clock === null ? timeOfDay : () => clock.now(),
  };
}

/**
 * The time of day, somewhere within its millisecond: rounded up it is never before the moment it was asked for, so that no delay
 * ends up to a millisecond early.
 */
function timeOfDay(): number {
  return Date.now() + 0.5;
}
