import { type Clock, sleep } from '../driver.js';

/** Waits for `done`, but no longer than that. */
export async function atMost(ms: number, done: Promise<unknown>, clock: Clock): Promise<void> {
  const over = new AbortController();
  try {
    await Promise.race([done, sleep(clock, ms, over.signal)]);
  } finally {
    over.abort();
  }
}
