/** One call of the tool costs 0.8 s of the processor, whether it makes one vhost or ten; hundreds of tests have one of their own. */
const atOnce = 10;

/** Answers vhosts that nobody had before. */
export class VhostSupply {
  readonly #make: (count: number) => Promise<readonly string[]>;
  readonly #unused: string[] = [];
  #making: Promise<void> | null = null;

  constructor(make: (count: number) => Promise<readonly string[]>) {
    this.#make = make;
  }

  async take(): Promise<string> {
    for (;;) {
      const url = this.#unused.shift();
      if (url !== undefined) return url;
      this.#making ??= this.#makeMore().finally(() => {
        this.#making = null;
      });
      await this.#making;
    }
  }

  async #makeMore(): Promise<void> {
    this.#unused.push(...(await this.#make(atOnce)));
  }
}
