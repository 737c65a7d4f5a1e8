import assert from 'node:assert/strict';
import { sleep, systemClock } from '../clock.js';
import type { Capabilities } from '../driver.js';
import type { HarnessTime } from './harness.js';

/** How often a condition is looked at where time goes by itself. */
const lookEveryMs = 20;

/** How long nothing must come where time goes by itself, before the suite believes that nothing will. */
const quietMs = 250;

/** How long a delay is made, where time goes by itself, that must not be over before the next few calls are. */
const ampleMs = 1_500;

/** The suite's only way to wait. A virtual clock is moved from timer to timer; real time is waited for, with a limit. */
export class Time {
  readonly #time: HarnessTime;

  readonly #leaseMs: number;

  constructor(time: HarnessTime, { lease }: Pick<Capabilities, 'lease'> = { lease: null }) {
    this.#time = time;
    this.#leaseMs = lease?.ms ?? Number.POSITIVE_INFINITY;
  }

  get isVirtual(): boolean {
    return this.#time.kind === 'virtual';
  }

  /**
   * Long enough to be sure that nothing comes; nothing at all on a clock that stands still. A part of a lease at most:
   * cases look several times while something is held.
   */
  get quietMs(): number {
    return this.#time.kind === 'virtual' ? 0 : Math.min(quietMs * this.#time.timeFactor, this.#leaseMs / 8);
  }

  /** By how much something may be late that should happen at a certain time. */
  get lateMs(): number {
    return this.#time.kind === 'virtual' ? 0 : 1_000 * this.#time.timeFactor;
  }

  now(): number {
    return this.#time.kind === 'virtual' ? this.#time.clock.now() : systemClock.now();
  }

  /** A delay that is not over before the next few calls are: as given on a clock that stands still meanwhile. */
  ample(ms: number): number {
    return this.#time.kind === 'virtual' ? ms : Math.max(ms, ampleMs * this.#time.timeFactor);
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

  /** For who reads until nothing comes any more: whether to go on although nothing came just now. */
  patience(): Patience {
    return new Patience(this);
  }

  /** Lets everything settle that can without time: a moment of real time, none of virtual. */
  async settle(): Promise<void> {
    await this.pass(this.quietMs);
    if (this.isVirtual) for (let i = 0; i < 3; i++) await this.pass(0);
  }

  /** Lets time pass until `promise` has settled, and answers as it does; fails when it does not within `withinMs`. */
  async until<T>(promise: Promise<T>, withinMs = 60_000): Promise<T> {
    if (this.#time.kind === 'real') return answered(promise, withinMs * this.#time.timeFactor);
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

/** How many times running a look must find nothing, where the backend cannot say how much is there. */
const looks = 3;

/**
 * A busy machine pauses longer than `quietMs`, and what came after it would be taken for lost. So a reader that finds
 * nothing believes it only when the backend has nothing for it either, or, where that cannot be known, when it was so
 * several times. It gives up after a time: what is ready need not be for this reader.
 */
class Patience {
  readonly #time: Time;
  readonly #endsAt: number;
  #nothing = 0;

  constructor(time: Time) {
    this.#time = time;
    this.#endsAt = time.now() + 5 * time.lateMs;
  }

  async lasts(ready: () => Promise<number | null>): Promise<boolean> {
    if (this.#time.isVirtual || this.#time.now() > this.#endsAt) return false;
    this.#nothing++;
    const left = await ready();
    return left === null ? this.#nothing < looks : left > 0;
  }
}

/** Real time is waited for only as long as it takes: a look every 20 ms took longer than most calls. */
function answered<T>(call: Promise<T>, withinMs: number): Promise<T> {
  const answer = new AbortController();
  const late = sleep(systemClock, withinMs, answer.signal).then(() => {
    throw new Error(`expected that a call settles, and it did not within ${withinMs} ms`);
  });
  late.catch(() => {});
  return Promise.race([call, late]).finally(() => answer.abort());
}
