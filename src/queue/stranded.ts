import type { Clock } from './clock.js';

/** Between two renewals, at least. What a backend refuses for good would otherwise go round as fast as it can. */
const betweenRenewalsMs = 30_000;

/**
 * What a backend without leases still holds although nobody here does: it refused the settlement, or did not answer
 * in time. Only the end of the subscription lets go of it. Knows when that is due: at once, but not more often
 * than every 30 s.
 */
export class Stranded {
  readonly #clock: Clock;
  readonly #onDue: () => void;
  readonly #receipts = new Set<object>();
  #notBefore = Number.NEGATIVE_INFINITY;
  #cancel: (() => void) | null = null;

  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  get size(): number {
    return this.#receipts.size;
  }

  add(receipt: object): void {
    this.#receipts.add(receipt);
    this.#cancel ??= this.#clock.schedule(() => {
      this.#cancel = null;
      if (this.size > 0) this.#onDue();
    }, this.#notBefore - this.#clock.now());
  }

  /** The connection broke, and what it held went back. */
  forget(receipts: readonly object[]): void {
    for (const receipt of receipts) this.#receipts.delete(receipt);
  }

  /** The subscription that held them was closed. */
  renewed(): void {
    this.stop();
    if (this.size > 0) this.#notBefore = this.#clock.now() + betweenRenewalsMs;
    this.#receipts.clear();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}
