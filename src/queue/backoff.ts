/** How delays grow from one failure to the next. */
export interface BackoffPolicy {
  /** Delay after the first failure, milliseconds. */
  readonly initialMs: number;
  /** Each delay is this many times the one before; at least 1. */
  readonly factor: number;
  /** No delay is longer than this, jitter apart. */
  readonly maxMs: number;
  /** Share of the delay that chance adds or takes away, 0 to 1. */
  readonly jitter: number;
}

/**
 * Delay after the `n`th failure (from 1): with the default policy 1 s, 2 s, 4 s … capped at 60 s, ±20 %, so
 * that what failed together does not return together (jitter comes after the cap for the same reason).
 * Whole milliseconds. Pure; `random` is in [0, 1).
 */
export function backoff(n: number, policy: BackoffPolicy, random: number): number {
  // The power overflows to Infinity, and Infinity times an initial 0 would be no number.
  const grownMs = policy.initialMs === 0 ? 0 : policy.initialMs * policy.factor ** (n - 1);
  const withoutJitterMs = Math.min(policy.maxMs, grownMs);
  return Math.round(withoutJitterMs * (1 + policy.jitter * (2 * random - 1)));
}
