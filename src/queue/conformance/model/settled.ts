import { sleep, systemClock } from '../../clock.js';
import type { Time } from '../time.js';

/** Waits for a call. Time that goes by itself is waited for only as long as it takes: a look every 20 ms cost more than most calls. */
export async function settled<T>(time: Time, call: Promise<T>, withinMs = 60_000): Promise<T> {
  if (time.isVirtual) return time.until(call, withinMs);
  const answered = new AbortController();
  const late = sleep(systemClock, withinMs + 10 * time.lateMs, answered.signal).then(() => {
    throw new Error(`a call was not answered within ${withinMs} ms`);
  });
  return Promise.race([call, late]).finally(() => answered.abort());
}
