import { type Clock, sleep } from '../driver.js';

/** Waits for `done`, but no longer than that: how it ends afterwards is nobody's business. Rejects as it does meanwhile. */
export async function atMost(ms: number, done: Promise<unknown>, clock: Clock): Promise<void> {
  done.catch(() => {});
  const over = new AbortController();
  try {
    await Promise.race([done, sleep(clock, ms, over.signal)]);
  } finally {
    over.abort();
  }
}
