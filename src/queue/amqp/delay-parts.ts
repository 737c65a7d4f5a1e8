/** What is shorter waits at a mover, on a timer: a hop through a queue alone takes some milliseconds. */
export const shortestQueueMs = 100;

/** Ten days, nearly. A longer delay is several of these. */
export const longestQueueMs = 860_000_000;

/** Enough that a user's mistake is told from a wish: 43 hops of ten days. */
export const longestDelayMs = 366 * 86_400_000;

/** Declared with the first topology, so that any delay is a sum of queues that are durable: 1, 2 and 5 of each decade. */
export const coinDelaysMs: readonly number[] = [2, 3, 4, 5, 6, 7, 8]
  .flatMap((decade) => [1, 2, 5].map((digit) => digit * 10 ** decade))
  .filter((ms) => ms <= longestQueueMs);

/** The longest delay with two significant digits that is no longer than this: it has a queue, or gets one. Null below 100 ms. */
export function exactPart(delayMs: number): number | null {
  if (delayMs < shortestQueueMs) return null;
  const unit = 10 ** (String(Math.floor(delayMs)).length - 2);
  return Math.min(longestQueueMs, Math.floor(delayMs / unit) * unit);
}

/**
 * The first hop of a delay: the exact queue if it is durable, otherwise the longest one that is and fits. Null: no queue
 * fits, all of it waits at a mover. Largest first, so that most of it passes even when no process runs.
 */
export function firstPart(delayMs: number, durableMs: ReadonlySet<number>): number | null {
  const exact = exactPart(delayMs);
  if (exact === null) return null;
  if (durableMs.has(exact)) return exact;
  let longest: number | null = null;
  for (const ms of durableMs) if (ms <= delayMs && ms > (longest ?? 0)) longest = ms;
  return longest;
}
