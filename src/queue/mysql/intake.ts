import { systemClock } from '../driver.js';
import type { KnownGroup } from './catalogue.js';
import type { Hold } from './hold.js';
import type { Row } from './link.js';

/** A pending `receive`. */
export interface Waiter {
  readonly max: number;
  /** It asked without waiting: it is answered by the next claim, whatever that finds. */
  readonly once: boolean;
  /** Hands it what it now holds. */
  readonly answer: (rows: readonly { readonly row: Row; readonly hold: Hold }[]) => void;
  readonly fail: (error: unknown) => void;
}

/** Enough for as many processes; rows that are looked at and not taken cost a microsecond each. */
const farthestReach = 8;

/**
 * What this process wants from one group: the pending receives, longest waiting first, and what is known about
 * whether a claim would find anything.
 */
export class Intake {
  readonly #waiters = new Set<Waiter>();
  readonly #onDue: (intake: Intake) => void;
  #emptyAt = Number.NEGATIVE_INFINITY;
  #cancelAlarm: (() => void) | null = null;
  #alarmAt = Number.POSITIVE_INFINITY;
  /** See `Claim`. */
  reach = 1;
  /** Something happened that a claim under way may have come too early for. */
  stirred = false;

  constructor(
    readonly group: KnownGroup,
    onDue: (intake: Intake) => void,
  ) {
    this.#onDue = onDue;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  get waiters(): readonly Waiter[] {
    return [...this.#waiters];
  }

  /** How many messages are asked for. */
  get wanted(): number {
    let sum = 0;
    for (const { max } of this.#waiters) sum += max;
    return sum;
  }

  add(waiter: Waiter): void {
    this.#waiters.add(waiter);
  }

  /** Answers whether it was still waiting. */
  remove(waiter: Waiter): boolean {
    const removed = this.#waiters.delete(waiter);
    if (this.#waiters.size === 0) this.#silence();
    return removed;
  }

  /** Where others take from the same group, a claim looks further; where they have gone, less far again. Answers whether the next looks further. */
  crowded(isCrowded: boolean): boolean {
    const before = this.reach;
    this.reach = isCrowded ? Math.min(farthestReach, before * 2) : Math.max(1, before / 2);
    return this.reach > before;
  }

  /** A claim found less than was asked for: until somebody says otherwise, there is no more. */
  emptied(): void {
    this.#emptyAt = systemClock.now();
  }

  /** Something came. */
  filled(): void {
    this.#emptyAt = Number.NEGATIVE_INFINITY;
    this.stirred = true;
  }

  /** Whether it was empty less than `withinMs` ago: a probe will come before that is worth another look. */
  wasEmpty(withinMs: number): boolean {
    return systemClock.now() - this.#emptyAt < withinMs;
  }

  /** Has a claim made in `inMs`, unless one is made before that anyhow, or nobody waits. */
  alarm(inMs: number): void {
    const at = systemClock.now() + inMs;
    if (this.#waiters.size === 0 || at >= this.#alarmAt) return;
    this.#cancelAlarm?.();
    this.#alarmAt = at;
    this.#cancelAlarm = systemClock.schedule(() => {
      this.#silence();
      this.#onDue(this);
    }, inMs);
  }

  close(): void {
    this.#silence();
  }

  #silence(): void {
    this.#cancelAlarm?.();
    this.#cancelAlarm = null;
    this.#alarmAt = Number.POSITIVE_INFINITY;
  }
}
