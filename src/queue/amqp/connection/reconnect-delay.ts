const firstMs = 100;
const longestMs = 2_000;

/**
 * Delay before the `attempt`th connection (from 1) after a loss: 100 ms, 200 ms … capped at 2 s, and chance takes
 * away up to half of it, so that clients which lost the same broker do not return in one moment. The cap is low
 * because consumers must be back within 5 s of the broker's first handshake. Pure; `random` is in [0, 1).
 */
export function reconnectDelay(attempt: number, random: number): number {
  const withoutJitterMs = Math.min(longestMs, firstMs * 2 ** (attempt - 1));
  return Math.round(withoutJitterMs * (1 - random / 2));
}
