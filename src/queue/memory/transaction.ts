import { QueueError, Refusal, type Send, type SendResult } from '../driver.js';
import { cloneSend } from './clone.js';
import type { IdempotencyKeys } from './idempotency-keys.js';
import type { Store } from './store.js';

/** A caller's own transaction, to be given to `send` as `within`. It stays open until one of its two ends. */
export interface MemoryTransaction {
  /** Stores everything that was sent within, in one instant; delays count from here. Throws `invalid` after the end. */
  commit(): void;
  /** Nothing that was sent within was ever there. Does nothing after the end, so that a `finally` may always call it. */
  rollback(): void;
}

/** See `MemoryTransaction`. The store asks and tells it what goes on within. */
export class Transaction implements MemoryTransaction {
  /** Resolves when it was committed or rolled back. */
  readonly ended: Promise<void>;
  readonly #store: Store;
  readonly #sends: Send[] = [];
  readonly #answers = new Map<string, SendResult>();
  readonly #ids = new Map<IdempotencyKeys, Map<string, string>>();
  readonly #waitsFor = new Set<Transaction>();
  #end: () => void = () => {};
  #open = true;

  constructor(store: Store) {
    this.#store = store;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  get open(): boolean {
    return this.#open;
  }

  isOf(store: Store): boolean {
    return this.#store === store;
  }

  commit(): void {
    if (!this.#open) {
      const fault = 'the transaction has ended';
      throw new QueueError(`cannot commit to ${this.#store.name}: ${fault}; commit it once, before any rollback`, {
        code: 'invalid',
        backend: this.#store.name,
      });
    }
    this.#freeKeys();
    this.#store.commit(this.#sends);
    this.#end();
  }

  rollback(): void {
    if (!this.#open) return;
    this.#freeKeys();
    this.#end();
  }

  /** Keeps an entry for the commit, with what its sender was answered. */
  keep(send: Send, answer: SendResult): void {
    this.#sends.push(cloneSend(send));
    this.#answers.set(send.nonce, answer);
  }

  answerTo(nonce: string): SendResult | undefined {
    return this.#answers.get(nonce);
  }

  /** The id of the message within that has used the key, or null. */
  idOf(keys: IdempotencyKeys, key: string): string | null {
    return this.#ids.get(keys)?.get(key) ?? null;
  }

  useKey(keys: IdempotencyKeys, key: string, id: string): void {
    let ids = this.#ids.get(keys);
    if (ids === undefined) {
      ids = new Map();
      this.#ids.set(keys, ids);
    }
    ids.set(key, id);
    keys.keepFor(key, this);
  }

  /** Resolves when `other` has ended. Two that wait for each other would wait for ever: the second is refused, `conflict`. */
  async waitFor(other: Transaction): Promise<void> {
    if (other.#dependsOn(this)) {
      throw new Refusal(
        'conflict',
        'two transactions wait for each other, each using an idempotency key of the other',
        'roll one back, and use the keys in the same order in both',
      );
    }
    this.#waitsFor.add(other);
    await other.ended;
    this.#waitsFor.delete(other);
  }

  #dependsOn(other: Transaction): boolean {
    return [...this.#waitsFor].some((next) => next === other || next.#dependsOn(other));
  }

  #freeKeys(): void {
    this.#open = false;
    for (const [keys, ids] of this.#ids) for (const key of ids.keys()) keys.free(key);
  }
}
