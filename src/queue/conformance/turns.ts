/** Lets so many cases run at once, and one that disturbs the others alone. First come, first served. */
export class Turns {
  readonly #atOnce: number;
  readonly #waiting: { readonly alone: boolean; readonly start: () => void }[] = [];
  #running = 0;
  #someoneAlone = false;

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Waits for its turn, and then answers as `work` does. */
  async take<T>(alone: boolean, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((start) => {
      this.#waiting.push({ alone, start });
      this.#startNext();
    });
    try {
      return await work();
    } finally {
      this.#running--;
      if (alone) this.#someoneAlone = false;
      this.#startNext();
    }
  }

  #startNext(): void {
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined || this.#someoneAlone) return;
      if (this.#running >= (next.alone ? 1 : this.#atOnce)) return;
      this.#waiting.shift();
      this.#running++;
      this.#someoneAlone = next.alone;
      next.start();
    }
  }
}
