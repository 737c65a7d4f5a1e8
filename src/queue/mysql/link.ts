import type { SqlValue } from './sql-values.js';

export type Row = Readonly<Record<string, unknown>>;

/** What a statement that writes answers. `affectedRows` counts rows that were found, changed or not, where mysql2's defaults hold. */
export interface Written {
  readonly affectedRows: number;
  readonly insertId: number;
}

/** Runs statements one after the other on one connection of the database. */
export interface Link {
  rows(sql: string, values?: readonly SqlValue[]): Promise<readonly Row[]>;
  write(sql: string, values?: readonly SqlValue[]): Promise<Written>;
}

/** A link that belongs to the driver. */
export interface OwnLink extends Link {
  /** False once the connection is known to be gone. */
  readonly alive: boolean;
  /** Called once, when the connection ends without having been asked to. */
  onLost: (cause: unknown) => void;
  /** Ends the connection, what it was asked for first. */
  end(): Promise<void>;
  /** Ends it now; what it was asked for rejects. */
  destroy(cause: unknown): void;
}

/** Makes links, each with a session of its own that is set up for this driver's statements. */
export interface LinkSource {
  connect(settings: LinkSettings): Promise<OwnLink>;
  /** Whether `connect` takes from what the application has. */
  close(): Promise<void>;
}

export interface LinkSettings {
  readonly autocommit: boolean;
  /** How long a statement waits for a row that somebody else has locked. */
  readonly lockWaitSeconds: number;
  /** How long the server believes in a connection of which it hears nothing; then what it has locked is free. */
  readonly silenceSeconds: number;
}

/** Nothing of ours waits longer for a row that somebody else has locked. */
export const longestLockWaitSeconds = 5;

/** Above the wait for a lock: a connection that has not answered by then is half open, or the server is stuck. */
export const answerWithinMs = (longestLockWaitSeconds + 10) * 1000;

/** Below the first a busy process would lose its connections; above the second the driver has long given them up itself. */
const [shortestSilenceSeconds, longestSilenceSeconds] = [3, answerWithinMs / 1_000];

/**
 * A process that is cut off in the midst of a transaction says nothing any more, and nobody says so: by the server's own time (8 h)
 * it kept its locks, and an ordered group, whose row a claim locks, was served to nobody. A lease is the time in which that may be so.
 */
export function silenceSecondsOf(leaseMs: number): number {
  return Math.min(longestSilenceSeconds, Math.max(shortestSilenceSeconds, Math.ceil(leaseMs / 1_000)));
}

export function timedOut(): Error {
  const text = `the database did not answer within ${answerWithinMs} ms`;
  return Object.assign(new Error(text), { code: 'PROTOCOL_SEQUENCE_TIMEOUT' });
}

/**
 * READ COMMITTED: with REPEATABLE READ the same statements had up to 110 deadlocks in 3 s, and a claim would lock the
 * gaps that publishers insert into. The modes and the time zone because an application's pool, or the server, may have others.
 */
export const sessionSettings = ({ autocommit, lockWaitSeconds, silenceSeconds }: LinkSettings): readonly string[] => [
  'set session transaction isolation level read committed',
  `set session autocommit = ${autocommit ? 1 : 0}, innodb_lock_wait_timeout = ${lockWaitSeconds}, wait_timeout = ${silenceSeconds}, sql_mode = 'STRICT_TRANS_TABLES', sql_safe_updates = 0, time_zone = '+00:00'`,
];
