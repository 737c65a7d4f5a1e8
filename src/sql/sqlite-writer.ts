import { loopTurn, nextTurn, systemClock } from '../queue/driver.js';
import type { SqliteConnection } from './sqlite-connection.js';
import { isBusy } from './sqlite-errors.js';
import { LockPauses, lockedFor } from './sqlite-lock.js';
import { type Ask, type Steps, takeSteps } from './sqlite-steps.js';

export interface WriteOptions {
  readonly ask: Ask;
  /** How long to wait for somebody else's transaction. */
  readonly patienceMs: number;
  /** Whether it must outlive the machine's power once it is answered. What need not, and is written alone, waits for no disk. */
  readonly durable: boolean;
  /** Once aborted, it is not waited for any longer. */
  readonly signal?: AbortSignal;
}

interface Job extends WriteOptions {
  readonly steps: () => Steps<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly since: number;
}

/** Where the jobs of one commit stop, so that the event loop turns between two: some 5 ms of work. */
const jobsPerCommit = 64;

export interface WriterEvents {
  /** Before a transaction begins: whether what it writes must outlive the machine's power. */
  onBegin(durable: boolean): void;
  onCommitted(): void;
  /** What SQLite said to a job, or to the commit; not that somebody else has the lock. */
  onFailed(error: unknown): void;
}

/**
 * The one writer of a process. What asks to write while it is waiting for the lock is written together, in one
 * transaction with one fsync; each job is undone alone if it throws. A transaction begins and ends within one turn of the
 * event loop, so nobody in this process can wait for a lock that we hold.
 */
export class SqliteWriter {
  readonly #connection: SqliteConnection;
  readonly #events: WriterEvents;
  #jobs: Job[] = [];
  #running = false;

  constructor(connection: SqliteConnection, events: WriterEvents) {
    this.#connection = connection;
    this.#events = events;
  }

  /** Resolves when what the steps did is committed; rejects when none of it is there. */
  write<T>(options: WriteOptions, steps: () => Steps<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const answer = resolve as (value: unknown) => void;
      this.#jobs.push({ ...options, steps, resolve: answer, reject, since: systemClock.now() });
      if (this.#running) return;
      this.#running = true;
      // What is asked for in the same turn is written together.
      queueMicrotask(() => void this.#run());
    });
  }

  async #run(): Promise<void> {
    const pauses = new LockPauses();
    await loopTurn();
    while (this.#jobs.length > 0) {
      const busy = this.#commitSome();
      if (busy === null) {
        pauses.reset();
        // The loop must turn: what was answered may ask for more, and sockets wait.
        if (this.#jobs.length > 0) await nextTurn();
        continue;
      }
      this.#giveUp(busy);
      await pauses.pause();
    }
    this.#running = false;
  }

  /** Answers null, or the error that says that somebody else holds the lock: nothing was begun. */
  #commitSome(): unknown {
    const count = Math.min(this.#jobs.length, jobsPerCommit);
    try {
      this.#events.onBegin(this.#jobs.slice(0, count).some(({ durable }) => durable));
      this.#connection.exec('begin immediate');
    } catch (error) {
      if (isBusy(error)) return error;
      this.#events.onFailed(error);
      for (const job of this.#jobs.splice(0)) job.reject(error);
      return null;
    }
    const jobs = this.#jobs.splice(0, count);
    try {
      const answers = jobs.map((job) => this.#take(job, jobs.length === 1));
      this.#connection.exec('commit');
      for (const answer of answers) answer();
      this.#events.onCommitted();
    } catch (error) {
      this.#rollback();
      this.#events.onFailed(error);
      for (const job of jobs) job.reject(error);
    }
    return null;
  }

  /** What to tell the job once all is committed. Throws where none of the transaction can be. */
  #take(job: Job, alone: boolean): () => void {
    if (alone) {
      const value = takeSteps(job.ask, job.steps());
      return () => job.resolve(value);
    }
    this.#connection.all('savepoint job');
    try {
      const value = takeSteps(job.ask, job.steps());
      this.#connection.all('release job');
      return () => job.resolve(value);
    } catch (error) {
      // A disk that is full or fails makes SQLite undo the whole transaction by itself.
      if (!this.#connection.inTransaction) throw error;
      this.#connection.exec('rollback to job; release job');
      this.#events.onFailed(error);
      return () => job.reject(error);
    }
  }

  #rollback(): void {
    try {
      if (this.#connection.inTransaction) this.#connection.exec('rollback');
    } catch {
      // Nothing was open any more.
    }
  }

  #giveUp(error: unknown): void {
    const now = systemClock.now();
    const tired = this.#jobs.filter((job) => now - job.since >= job.patienceMs || job.signal?.aborted === true);
    if (tired.length === 0) return;
    this.#jobs = this.#jobs.filter((job) => !tired.includes(job));
    for (const job of tired) job.reject(lockedFor(job.patienceMs, error));
  }
}
