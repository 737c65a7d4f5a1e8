import assert from 'node:assert/strict';
import { sleep, systemClock } from '../clock.js';
import type { HarnessTime } from './harness.js';

/** How often a condition is looked at where time goes by itself. */
const lookEveryMs = 20;

/** How long nothing must come where time goes by itself, before the suite believes that nothing will. */
const quietMs = 250;

/** The suite's only way to wait. A virtual clock is moved from timer to timer; real time is waited for, with a limit. */
export class Time {
  readonly #time: HarnessTime;

  constructor(time: HarnessTime) {
    this.#time = time;
  }

  get isVirtual(): boolean {
    return this.#time.kind === 'virtual';
  }

  /** Long enough to be sure that nothing comes; nothing at all on a clock that stands still. */
  get quietMs(): number {
    return this.#time.kind === 'virtual' ? 0 : quietMs * this.#time.timeFactor;
  }

  /** By how much something may be late that should happen at a certain time. */
  get lateMs(): number {
    return this.#time.kind === 'virtual' ? 0 : 1_000 * this.#time.timeFactor;
  }

  now(): number {
    return this.#time.kind === 'virtual' ? this.#time.clock.now() : systemClock.now();
  }

  /** Timers that wait, where that can be known. */
  get pendingTimers(): number | null {
    return this.#time.kind === 'virtual' ? this.#time.clock.pending : null;
  }

  /** For handlers that take their time: it passes while the case waits for something. */
  sleep(ms: number): Promise<void> {
    return sleep(this.#time.kind === 'virtual' ? this.#time.clock : systemClock, ms);
  }

  /** Lets exactly so much time pass (a little more where it goes by itself). */
  pass(ms: number): Promise<void> {
    return this.#time.kind === 'virtual' ? this.#time.clock.advance(ms) : sleep(systemClock, ms);
  }

  /** Lets everything settle that can without time: a moment of real time, none of virtual. */
  async settle(): Promise<void> {
    await this.pass(this.quietMs);
    if (this.isVirtual) for (let i = 0; i < 3; i++) await this.pass(0);
  }

  /** Lets time pass until `promise` has settled, and answers as it does. */
  async until<T>(promise: Promise<T>, withinMs = 60_000): Promise<T> {
    let settled = false;
    const end = (): void => {
      settled = true;
    };
    promise.then(end, end);
    await this.eventually('a call settles', () => settled, withinMs);
    return promise;
  }

  /** Lets time pass until the condition holds; fails when it does not within `withinMs`. Looks before any time has passed. */
  async eventually(what: string, holds: () => boolean | Promise<boolean>, withinMs = 30_000): Promise<void> {
    const patienceMs = this.#time.kind === 'virtual' ? withinMs : withinMs * this.#time.timeFactor;
    const endsAt = this.now() + patienceMs;
    if (this.isVirtual) await this.settle();
    while (!(await holds())) {
      const leftMs = endsAt - this.now();
      assert.ok(leftMs > 0, `expected that ${what}, and it did not within ${patienceMs} ms`);
      await this.pass(Math.min(leftMs, this.#stepMs(patienceMs)));
    }
  }

  /** On a virtual clock: to the next timer, but not in strides, since a case may wait for what no timer announces. */
  #stepMs(patienceMs: number): number {
    if (this.#time.kind === 'real') return lookEveryMs;
    const { clock } = this.#time;
    const longestMs = Math.max(1, patienceMs / 50);
    return clock.nextDueAt === null ? longestMs : Math.max(0, Math.min(longestMs, clock.nextDueAt - clock.now()));
  }
}
