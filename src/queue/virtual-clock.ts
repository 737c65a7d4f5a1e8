import type { Clock } from './clock.js';
import { isTurnAwaited } from './loop-turn.js';
import { kindOf } from './names.js';

interface Timer {
  readonly dueAt: number;
  readonly callback: () => void;
}

/**
 * A clock for tests that stands still until it is told to move. `await clock.advance(60_000)` runs
 * every timer that falls due on the way, in order, and lets all promises settle after each instant,
 * so that a minute of back-off takes as long as the code that runs in it.
 *
 * It can see promises and `setImmediate`, not sockets: use it with drivers that answer without I/O.
 */
export class VirtualClock implements Clock {
  #nowMs: number;
  readonly #timers: Timer[] = [];

  /** `startMs` is the first `now()`; the default is a fixed date, so that runs repeat exactly. Throws a `RangeError` for what is no finite number. */
  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    if (!Number.isFinite(startMs)) {
      throw new RangeError(
        `cannot make a virtual clock: startMs is ${typeof startMs === 'number' ? startMs : kindOf(startMs)}; give epoch milliseconds`,
      );
    }
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  schedule(callback: () => void, delayMs: number): () => void {
    // A delay that is no number is none, as `setTimeout` has it; in the list it would stop the clock.
    const timer: Timer = { dueAt: this.#nowMs + (Math.max(0, delayMs) || 0), callback };
    // Kept sorted; equal times stay in the order in which they were asked for.
    let at = this.#timers.length;
    while (at > 0 && (this.#timers[at - 1] as Timer).dueAt > timer.dueAt) at--;
    this.#timers.splice(at, 0, timer);
    return () => {
      const index = this.#timers.indexOf(timer);
      if (index >= 0) this.#timers.splice(index, 1);
    };
  }

  /** How many timers wait: zero after everything was closed, or something leaks. */
  get pending(): number {
    return this.#timers.length;
  }

  /** When the next timer falls due, or null when none waits. */
  get nextDueAt(): number | null {
    return this.#timers[0]?.dueAt ?? null;
  }

  /** Moves time ahead by `byMs` (0 lets what is due now run) and resolves when all that fell due has run. One call at a time. */
  async advance(byMs: number): Promise<void> {
    if (!Number.isFinite(byMs) || byMs < 0) throw new RangeError(`cannot advance a clock by ${byMs} ms`);
    const endMs = this.#nowMs + byMs;
    await settled();
    for (;;) {
      const next = this.#timers[0];
      if (next === undefined || next.dueAt > endMs) break;
      this.#nowMs = Math.max(this.#nowMs, next.dueAt);
      this.#fireDue();
      await settled();
    }
    this.#nowMs = endMs;
  }

  /**
   * Moves time ahead, timer by timer, until `condition` holds. Throws when it does not within
   * `withinMs` of virtual time, or when no timer is left that could make it true.
   */
  async advanceUntil(condition: () => boolean, withinMs: number): Promise<void> {
    const endMs = this.#nowMs + withinMs;
    await settled();
    while (!condition()) {
      const next = this.nextDueAt;
      if (next === null) throw new Error('the condition does not hold and no timer waits that could change it');
      if (next > endMs) throw new Error(`the condition does not hold after ${withinMs} ms of virtual time`);
      await this.advance(Math.max(0, next - this.#nowMs));
    }
  }

  #fireDue(): void {
    while ((this.#timers[0]?.dueAt ?? Number.POSITIVE_INFINITY) <= this.#nowMs) {
      (this.#timers.shift() as Timer).callback();
    }
  }
}

/** Every promise that can settle without I/O has settled when a macrotask comes round, but of those who let the event loop turn meanwhile. */
async function settled(): Promise<void> {
  do await new Promise((resolve) => setImmediate(resolve));
  while (isTurnAwaited());
}
