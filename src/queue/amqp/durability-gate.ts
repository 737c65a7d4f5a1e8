import { type Clock, sleep } from '../driver.js';

/**
 * A quorum queue that was just declared can lose confirmed messages when the broker is killed: its name is in a table
 * that is written without sync every 500 ms, and without it the queue comes back empty (4.3.6, four of four when
 * killed within 500 ms; broken on 3.10.8). None was lost after 1 000 ms.
 */
const notDurableForMs = 1_500;

/** Knows which queues this process has just declared, so that nothing is called durable in them before it is. */
export class DurabilityGate {
  readonly #clock: Clock;
  readonly #durableAt = new Map<string, number>();
  readonly #closed: AbortSignal;

  constructor(clock: Clock, closed: AbortSignal) {
    this.#clock = clock;
    this.#closed = closed;
  }

  /** To be called when the declaration was answered. */
  declared(queues: Iterable<string>): void {
    const at = this.#clock.now() + notDurableForMs;
    for (const queue of queues) this.#durableAt.set(queue, at);
  }

  /** Whether a confirm of this queue means what it says; cheap. */
  isDurable(queue: string): boolean {
    if (this.#durableAt.size === 0) return true;
    const at = this.#durableAt.get(queue);
    if (at === undefined) return true;
    if (at > this.#clock.now()) return false;
    this.#durableAt.delete(queue);
    return true;
  }

  /** Resolves when all of them are durable, or when the driver is closed. */
  async untilDurable(queues: Iterable<string>): Promise<void> {
    const waitsMs = [...queues].map((queue) => (this.#durableAt.get(queue) ?? 0) - this.#clock.now());
    const waitMs = Math.max(0, ...waitsMs);
    if (waitMs > 0) await sleep(this.#clock, waitMs, this.#closed);
  }
}
