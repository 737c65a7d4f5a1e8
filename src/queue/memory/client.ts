import { Refusal, type Send } from '../driver.js';
import type { Store } from './store.js';
import type { Transaction } from './transaction.js';

/** One client of a store, as its driver and its subscriptions share it: where all their calls pass. */
export class Client {
  #state: 'not open' | 'open' | 'closed' | 'killed' = 'not open';

  constructor(
    readonly store: Store,
    readonly leaseMs: number,
  ) {}

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get isKilled(): boolean {
    return this.#state === 'killed';
  }

  /** A driver object is opened once: throws an `invalid` refusal. */
  open(): void {
    if (this.#state === 'not open') {
      this.#state = 'open';
      return;
    }
    const remedy = 'make a new driver on the same store to open it again';
    throw new Refusal('invalid', `this ${this.store.name} driver was opened before`, remedy);
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
    throw new Refusal('closed', `the ${this.store.name} driver is ${this.#state}`, remedy);
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
      throw error;
    }
  }

  /** Waits until no open transaction but `within` has used an idempotency key of these sends. */
  async untilFree(sends: readonly Send[], within: Transaction | null): Promise<void> {
    for (;;) {
      const blocker = this.store.blockerOf(sends, within);
      if (blocker === null) return;
      await (within === null ? blocker.ended : within.waitFor(blocker));
      this.check();
    }
  }
}

function never(): Promise<never> {
  return new Promise(() => {});
}
