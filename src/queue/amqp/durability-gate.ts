import { type Clock, sleep } from '../driver.js';
import { type Link, LinkError } from './connection/index.js';

/**
 * A quorum queue that was just declared can lose confirmed messages when the broker is killed: its name is in a table
 * that is written without sync every 500 ms, and without it the queue comes back empty (4.3.6, four of four when
 * killed within 500 ms; broken on 3.10.8). None was lost after 1 000 ms.
 */
const notDurableForMs = 1_500;

export interface DurabilityGateOptions {
  readonly link: Link;
  readonly clock: Clock;
  /** The driver is closed: nobody waits any longer. */
  readonly closed: AbortSignal;
}

/** Knows which queues this process has just declared, so that nothing is called durable in them before it is. */
export class DurabilityGate {
  readonly #options: DurabilityGateOptions;
  readonly #durableAt = new Map<string, number>();

  constructor(options: DurabilityGateOptions) {
    this.#options = options;
  }

  /** To be called when the declaration was answered. */
  declared(queues: Iterable<string>): void {
    const at = this.#options.clock.now() + notDurableForMs;
    for (const queue of queues) this.#durableAt.set(queue, at);
  }

  /** Whether a confirm of this queue means what it says; cheap. */
  isDurable(queue: string): boolean {
    if (this.#durableAt.size === 0) return true;
    const at = this.#durableAt.get(queue);
    if (at === undefined) return true;
    if (at > this.#options.clock.now()) return false;
    this.#durableAt.delete(queue);
    return true;
  }

  /**
   * Resolves when all of them are durable, or when the driver is closed. To be called when a confirm has come. Rejects
   * with `unavailable`, outcome unknown, when the connection is lost meanwhile: that may be the broker's end, and
   * then what it confirmed is gone with the queue.
   */
  async untilDurable(queues: Iterable<string>): Promise<void> {
    const { clock, closed, link } = this.#options;
    const waitsMs = [...queues].map((queue) => (this.#durableAt.get(queue) ?? 0) - clock.now());
    const waitMs = Math.max(0, ...waitsMs);
    if (waitMs === 0) return;
    const lossesBefore = link.losses;
    await sleep(clock, waitMs, closed);
    if (closed.aborted) return;
    // A broker that is gone without a word is found out by this alone.
    if (link.losses === lossesBefore) await link.withChannel('see whether the broker is still there', async () => {});
    if (link.losses === lossesBefore) return;
    throw new LinkError('the connection was lost before what was just declared was durable', {
      code: 'unavailable',
      outcomeUnknown: true,
    });
  }
}
