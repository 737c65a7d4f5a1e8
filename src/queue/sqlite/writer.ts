import { Refusal, sleep, systemClock } from '../driver.js';
import { isBusy } from './classify.js';
import type { Database } from './database.js';
import { type Steps, takeSteps } from './steps.js';

interface Job {
  readonly steps: () => Steps<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly since: number;
}

/** Where the jobs of one commit stop, so that the event loop turns between two: some 5 ms of work. */
const jobsPerCommit = 64;
const longestPauseMs = 50;

/**
 * The one writer of a process. What asks to write while it is waiting for the lock is written together, in one
 * transaction with one fsync; each job is undone alone if it throws. A lock that somebody else holds is waited for
 * without blocking: tried again after 1, 2, 4 … 50 ms, for as long as `patienceMs`, on the machine's clock.
 */
export class Writer {
  readonly #database: Database;
  readonly #patienceMs: number;
  readonly #afterCommit: () => void;
  #jobs: Job[] = [];
  #running = false;

  constructor(database: Database, patienceMs: number, afterCommit: () => void) {
    this.#database = database;
    this.#patienceMs = patienceMs;
    this.#afterCommit = afterCommit;
  }

  /** Resolves when what the steps did is committed; rejects when none of it is there. */
  write<T>(steps: () => Steps<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#jobs.push({ steps, resolve: resolve as (value: unknown) => void, reject, since: systemClock.now() });
      if (this.#running) return;
      this.#running = true;
      // What is asked for in the same turn is written together.
      queueMicrotask(() => void this.#run());
    });
  }

  async #run(): Promise<void> {
    let pauseMs = 1;
    while (this.#jobs.length > 0) {
      const busy = this.#commitSome();
      if (busy === null) {
        pauseMs = 1;
        // The loop must turn: what was answered may ask for more, and sockets wait.
        if (this.#jobs.length > 0) await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      this.#giveUp(busy);
      await sleep(systemClock, pauseMs);
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    }
    this.#running = false;
  }

  /** Answers null, or the error that says that somebody else holds the lock: nothing was begun. */
  #commitSome(): unknown {
    try {
      this.#database.exec('begin immediate');
    } catch (error) {
      if (isBusy(error)) return error;
      this.#rejectAll(error);
      return null;
    }
    const jobs = this.#jobs.splice(0, jobsPerCommit);
    try {
      const answers = jobs.map((job) => this.#take(job));
      this.#database.exec('commit');
      for (const answer of answers) answer();
      this.#afterCommit();
    } catch (error) {
      this.#rollback();
      for (const job of jobs) job.reject(error);
    }
    return null;
  }

  /** What to tell the job once all is committed. */
  #take(job: Job): () => void {
    this.#database.exec('savepoint job');
    try {
      const value = takeSteps(this.#database, job.steps());
      this.#database.exec('release job');
      return () => job.resolve(value);
    } catch (error) {
      // A full disk has rolled everything back by itself; then this throws, and no job was done.
      this.#database.exec('rollback to job; release job');
      return () => job.reject(error);
    }
  }

  #rollback(): void {
    try {
      this.#database.exec('rollback');
    } catch {
      // Nothing was open any more.
    }
  }

  #rejectAll(error: unknown): void {
    for (const job of this.#jobs.splice(0)) job.reject(error);
  }

  #giveUp(error: unknown): void {
    const now = systemClock.now();
    const [waiting, tired] = [[] as Job[], [] as Job[]];
    for (const job of this.#jobs) (now - job.since >= this.#patienceMs ? tired : waiting).push(job);
    this.#jobs = waiting;
    for (const job of tired) job.reject(lockedFor(this.#patienceMs, error));
  }
}

function lockedFor(patienceMs: number, cause: unknown): Refusal {
  const refusal = new Refusal(
    'unavailable',
    `the file has been locked by somebody else's transaction for ${patienceMs} ms`,
    'end that transaction: SQLite lets one write at a time',
  );
  refusal.cause = cause;
  return refusal;
}
