import { systemClock } from '../queue/driver.js';
import { isFull } from './sqlite-errors.js';

/** Who finds the disk full tries again within 2.4 s: when none did for this long, it is worth a try. */
const quietMs = 3_000;

/**
 * Whether the disk has room for what is written, as far as anybody has met. It has none from the first write that says so, and has room again
 * when no write said so for some seconds and one on trial goes through: what is small may, while what is large does not.
 */
export class SqliteFull {
  readonly #tryOut: () => Promise<unknown>;
  readonly #onChange = new Set<(full: boolean) => void>();
  #metAt: number | null = null;
  #trying = false;

  constructor(tryOut: () => Promise<unknown>) {
    this.#tryOut = tryOut;
  }

  get isFull(): boolean {
    return this.#metAt !== null;
  }

  /** Calls back when it becomes full, and when there is room again. Answers a function that ends it. */
  onChange(callback: (full: boolean) => void): () => void {
    this.#onChange.add(callback);
    return () => this.#onChange.delete(callback);
  }

  /** A write failed. */
  failed(error: unknown): void {
    if (!isFull(error)) return;
    const isNews = this.#metAt === null;
    this.#metAt = systemClock.now();
    if (isNews) this.#tell();
  }

  /** To be called now and then. */
  look(): void {
    const metAt = this.#metAt;
    if (metAt === null || this.#trying || systemClock.now() - metAt < quietMs) return;
    this.#trying = true;
    void this.#tryOut()
      .then(
        () => {
          if (this.#metAt !== metAt) return;
          this.#metAt = null;
          this.#tell();
        },
        () => {
          // Still full, which is known by then; or locked, and tried again at the next look.
        },
      )
      .finally(() => {
        this.#trying = false;
      });
  }

  #tell(): void {
    for (const callback of [...this.#onChange]) callback(this.isFull);
  }
}
