/** Who waits for news: rings for those who wait now, and remembers that it rang for those who look away meanwhile. */
export class Bell {
  readonly #waiting = new Set<() => void>();
  #rings = 0;

  /** Compared by `wait`: taken before one looks, so that what comes between the look and the waiting is not missed. */
  get rings(): number {
    return this.#rings;
  }

  ring(): void {
    this.#rings++;
    for (const wake of [...this.#waiting]) wake();
  }

  /** Calls `wake` once at the next ring, or at once if it rang since. Answers a function that forgets it. */
  wait(since: number, wake: () => void): () => void {
    if (since !== this.#rings) {
      wake();
      return () => {};
    }
    const once = (): void => {
      this.#waiting.delete(once);
      wake();
    };
    this.#waiting.add(once);
    return () => this.#waiting.delete(once);
  }
}
