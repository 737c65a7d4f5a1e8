import { Heap } from './heap.js';
import type { Transaction } from './transaction.js';

interface Used {
  readonly key: string;
  readonly id: string;
  readonly expiresAt: number;
}

/**
 * The idempotency keys of one topic. Those whose window has passed are forgotten when the next is used.
 * A key that an open transaction has used is neither free nor taken yet: others wait for its end.
 */
export class IdempotencyKeys {
  readonly #used = new Map<string, Used>();
  readonly #expiring = new Heap<Used>((one, other) => one.expiresAt < other.expiresAt);
  readonly #open = new Map<string, Transaction>();

  /** The id of the message that has the key, or null: the key is free. */
  idOf(key: string, now: number): string | null {
    this.#expire(now);
    return this.#used.get(key)?.id ?? null;
  }

  /** Takes a free key for `windowMs` from now. */
  use(key: string, id: string, windowMs: number, now: number): void {
    const used: Used = { key, id, expiresAt: now + windowMs };
    this.#used.set(key, used);
    this.#expiring.push(used);
  }

  userOf(key: string): Transaction | null {
    return this.#open.get(key) ?? null;
  }

  /** Keeps the key for an open transaction, until `free`. */
  keepFor(key: string, transaction: Transaction): void {
    this.#open.set(key, transaction);
  }

  free(key: string): void {
    this.#open.delete(key);
  }

  #expire(now: number): void {
    for (let next = this.#expiring.peek(); next !== undefined && next.expiresAt <= now; next = this.#expiring.peek()) {
      this.#expiring.pop();
      this.#used.delete(next.key);
    }
  }
}
