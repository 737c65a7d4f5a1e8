/** For how long work may follow upon work before timers, signals and sockets have their turn. */
const longestMs = 10;

/** When the first work was done since the event loop turned last; null: none was. */
let busySince: number | null = null;

/** How many wait for `nextTurn`. */
let waiting = 0;

/**
 * For drivers whose work blocks. To be asked before it, and awaited where it answers a promise: whoever was answered asks for more in a
 * microtask, and the event loop turns only when there are none, so that work after work, each answered before the next was asked for, lets it stand still (measured: 2.3 s for
 * 1000 publishes to a file). Null while there is time. Who has waited need not ask again, so that nobody waits for ever behind others.
 */
export function loopTurn(): Promise<void> | null {
  const now = performance.now();
  if (busySince === null) {
    busySince = now;
    setImmediate(() => {
      busySince = null;
    });
    return null;
  }
  return now - busySince < longestMs ? null : nextTurn();
}

/** Resolves when the event loop has turned. A `VirtualClock` lets those who wait here go on before it moves. */
export function nextTurn(): Promise<void> {
  waiting++;
  return new Promise((resolve) =>
    setImmediate(() => {
      waiting--;
      resolve();
    }),
  );
}

/** Whether somebody waits for the loop to turn. */
export function isTurnAwaited(): boolean {
  return waiting > 0;
}
