import { sqliteRefusal } from '../../sql/sqlite-failure.js';
import { type Clock, Refusal } from '../driver.js';
import type { QueueFile } from './queue-file.js';

/** One driver's view of a file, as its subscriptions share it: where all their calls pass. */
export class Client {
  #state: 'not open' | 'open' | 'closed' | 'killed' = 'not open';
  #file: QueueFile | null = null;

  constructor(
    readonly path: string,
    readonly clock: Clock,
    readonly now: () => number,
    readonly leaseMs: number,
  ) {}

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get isKilled(): boolean {
    return this.#state === 'killed';
  }

  /** Throws a `closed` refusal. */
  get file(): QueueFile {
    this.check();
    return this.#file as QueueFile;
  }

  /** A driver object is opened once: throws an `invalid` refusal. */
  async open(attach: () => Promise<QueueFile>): Promise<void> {
    if (this.#state !== 'not open' || this.#file !== null) {
      throw new Refusal('invalid', 'this sqlite driver was opened before', 'make a new driver to open the file again');
    }
    try {
      this.#file = await attach();
    } catch (error) {
      throw sqliteRefusal(this.path, error);
    }
    this.#state = 'open';
  }

  close(): void {
    if (!this.isKilled) this.#state = 'closed';
  }

  kill(): void {
    this.#state = 'killed';
  }

  /** Throws a `closed` refusal unless the client is open, or killed and past being told. */
  check(): void {
    if (this.#state === 'open' || this.#state === 'killed') return;
    const remedy = 'open a driver, and close it when nothing uses it any more';
    throw new Refusal('closed', `the sqlite driver is ${this.#state}`, remedy);
  }

  /** Calls `verb` if the client is open. A process that was killed hears of nothing any more: it waits for ever. */
  async run<T>(verb: () => T | Promise<T>): Promise<T> {
    if (this.isKilled) return never();
    this.check();
    try {
      const result = await verb();
      return this.isKilled ? never() : result;
    } catch (error) {
      if (this.isKilled) return never();
      throw sqliteRefusal(this.path, error);
    }
  }
}

function never(): Promise<never> {
  return new Promise(() => {});
}
