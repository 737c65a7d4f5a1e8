import type { SendResult } from '../driver.js';

/**
 * The answers to the latest sends by nonce, so that a repeated send of one call stores nothing. Kept in the process and not
 * in the file: only the process whose call it is repeats it, and a commit here is never of unknown outcome.
 * Two generations of a fixed number of entries, so that the memory is bounded whatever passes through.
 */
export class RecentSends {
  static readonly #perGeneration = 4096;
  #young = new Map<string, SendResult>();
  #old = new Map<string, SendResult>();

  find(nonce: string): SendResult | undefined {
    return this.#young.get(nonce) ?? this.#old.get(nonce);
  }

  remember(nonce: string, result: SendResult): void {
    if (this.#young.size >= RecentSends.#perGeneration) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(nonce, result);
  }
}
