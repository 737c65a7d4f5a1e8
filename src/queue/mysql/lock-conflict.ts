import { sleep, systemClock } from '../driver.js';

/** Deadlock (1213) and MariaDB's "record has changed" (1020) undo the whole transaction; 1205 is a lock that was not given in time. */
const undone = new Set<unknown>([1213, 1020]);
const notGiven = 1205;

const mostTries = 8;

/** Whether a statement waited in vain for a row that somebody has locked. It has changed nothing. */
export function isLockNotGiven(error: unknown): boolean {
  return ((error ?? {}) as { errno?: unknown }).errno === notGiven;
}

/**
 * Runs `work` again when the server has undone it for the sake of another transaction, after a few milliseconds in which the
 * other can end. A lock that was not given in time is asked for once more only: it has cost seconds already.
 */
export async function again<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      const { errno } = (error ?? {}) as { errno?: unknown };
      const mayRun = undone.has(errno) ? tries < mostTries : isLockNotGiven(error) && tries < 2;
      if (!mayRun) throw error;
      await sleep(systemClock, 2 ** tries * Math.random());
    }
  }
}
