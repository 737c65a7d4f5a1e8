import { type Clock, QueueError, Refusal, systemClock } from '../driver.js';

export interface SqliteOptions {
  /** The file; made, with its folder, unless it is there. Several processes of one machine may use it at once. */
  readonly path: string;
  /** How long a hand-out is kept for its holder unless extended. Default: 30 000. */
  readonly leaseMs?: number | undefined;
  /**
   * `full` (default): what was published survives a power failure. `normal`: it survives the end of every process, and
   * the last commits may be gone after the machine itself went down; about twice as fast on slow disks.
   */
  readonly synchronous?: 'full' | 'normal' | undefined;
  /** How long a call waits for somebody else's transaction before it is `unavailable`. Default: 20 000. */
  readonly lockTimeoutMs?: number | undefined;
  /** For tests: every time in the file is this clock's. Default: the machine's time of day. */
  readonly clock?: Clock | undefined;
}

export interface SqliteSettings {
  readonly path: string;
  readonly leaseMs: number;
  readonly synchronous: 'full' | 'normal';
  readonly patienceMs: number;
  /** What runs timers. */
  readonly clock: Clock;
  readonly givenClock: Clock | null;
  /** What times in the file are: the same for all processes of the machine, which a clock of one process is not. */
  readonly now: () => number;
}

const names = ['path', 'leaseMs', 'synchronous', 'lockTimeoutMs', 'clock'];

/** Throws `invalid` for unknown options, and for those that cannot be. */
export function settingsOf(options: SqliteOptions): SqliteSettings {
  if (typeof options !== 'object' || options === null)
    throw invalid('the options are no object', 'give at least a path');
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw invalid(`unknown option ${JSON.stringify(unknown)}`, `there are ${names.join(', ')}`);
  const { path, leaseMs = 30_000, synchronous = 'full', lockTimeoutMs = 20_000, clock } = options;
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw invalid('path is no path of a file', 'give one, such as ".signalbox/queue.db"');
  }
  if (path === ':memory:') throw invalid('":memory:" would be gone with its process', 'use the memory driver for that');
  if (synchronous !== 'full' && synchronous !== 'normal') {
    throw invalid(`synchronous is ${JSON.stringify(synchronous)}`, 'give "full" or "normal"');
  }
  return {
    path,
    leaseMs: positive('leaseMs', leaseMs),
    synchronous,
    patienceMs: positive('lockTimeoutMs', lockTimeoutMs),
    clock: clock ?? systemClock,
    givenClock: clock ?? null,
    now: clock === undefined ? timeOfDay : () => clock.now(),
  };
}

/**
 * `sqlite:PATH?leaseMs=…&synchronous=…&lockTimeoutMs=…`; the path as it is, absolute or from the working folder. `sqlite://`
 * before an absolute path is the same. Throws `invalid` refusals.
 */
export function settingsFromUrl(url: string): SqliteSettings {
  const [, location = '', query = ''] = /^sqlite:(?:\/\/(?=\/))?([^?]*)(?:\?(.*))?$/is.exec(url) ?? [];
  if (location.startsWith('//')) {
    throw new Refusal(
      'invalid',
      'a sqlite URL has no host',
      'give a path: sqlite:queue.db, or sqlite:///var/lib/queue.db',
    );
  }
  const options: Record<string, unknown> = { path: decoded(location) };
  for (const [name, value] of new URLSearchParams(query)) {
    if (name === 'clock' || name === 'path' || !names.includes(name)) {
      throw new Refusal(
        'invalid',
        `a sqlite URL has no option ${JSON.stringify(name)}`,
        'there are leaseMs, synchronous, lockTimeoutMs',
      );
    }
    options[name] = name === 'synchronous' ? value : Number(value);
  }
  return settingsOf(options as unknown as SqliteOptions);
}

/**
 * The time of day, somewhere within its millisecond: rounded up it is never before the moment it was asked for, so that no delay
 * ends up to a millisecond early.
 */
function timeOfDay(): number {
  return Date.now() + 0.5;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function positive(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  throw invalid(`${name} is ${typeof value === 'number' ? value : 'no number'}`, 'give milliseconds above 0');
}

function invalid(fault: string, remedy: string): QueueError {
  return new QueueError(`cannot make a sqlite driver: ${fault}; ${remedy}`, { code: 'invalid' });
}
