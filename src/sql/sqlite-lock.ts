import { Refusal, sleep, systemClock } from '../queue/driver.js';
import { isBusy } from './sqlite-errors.js';

/**
 * The pauses between two tries to get a lock that somebody else holds: 1, 2, 4 … 10 ms, on the machine's clock, without blocking. (With
 * SQLite's own busy timeout the event loop would stand still for as long.)
 */
export class LockPauses {
  #nextMs = 1;

  reset(): void {
    this.#nextMs = 1;
  }

  async pause(): Promise<void> {
    await sleep(systemClock, this.#nextMs);
    this.#nextMs = Math.min(this.#nextMs * 2, 10);
  }
}

/** Tries until nobody else has the lock that `work` needs; a work that met a lock has done nothing. Rejects with `lockedFor` after `patienceMs`. */
export async function pastLocks<T>(patienceMs: number, work: () => T): Promise<T> {
  const startedAt = systemClock.now();
  const pauses = new LockPauses();
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (systemClock.now() - startedAt >= patienceMs) throw lockedFor(patienceMs, error);
      await pauses.pause();
    }
  }
}

/** What somebody is told whose work was not begun, as the file was locked all the while. */
export function lockedFor(patienceMs: number, cause: unknown): Refusal {
  return new Refusal(
    'unavailable',
    `the file has been locked by somebody else's transaction for at least ${patienceMs} ms`,
    'end that transaction: SQLite lets one write at a time',
    { cause },
  );
}
