import type { Clock, Received } from '../driver.js';
import type { Reader } from './reader.js';

/** A pending `receive`. */
export interface Waiter {
  readonly reader: Reader;
  readonly max: number;
  readonly answer: (received: readonly Received[]) => void;
  readonly fail: (error: Error) => void;
  /** Ends its time-out, and listens to its signal no more. */
  readonly cancel: () => void;
}

/**
 * The pending `receive` calls of one group, longest waiting first, and the group's only alarm: one timer
 * for whatever falls due next, set only while somebody waits. Nothing is polled.
 */
export class Waiting implements Iterable<Waiter> {
  readonly #clock: Clock;
  readonly #onAlarm: () => void;
  readonly #waiters = new Set<Waiter>();
  #alarmAt = Number.POSITIVE_INFINITY;
  #cancelAlarm: (() => void) | null = null;

  constructor(clock: Clock, onAlarm: () => void) {
    this.#clock = clock;
    this.#onAlarm = onAlarm;
  }

  get size(): number {
    return this.#waiters.size;
  }

  [Symbol.iterator](): Iterator<Waiter> {
    return this.#waiters[Symbol.iterator]();
  }

  /** Waits for at most `waitMs`, or until the signal aborts, then answers empty. */
  wait(reader: Reader, max: number, waitMs: number, signal: AbortSignal): Promise<readonly Received[]> {
    return new Promise((resolve, reject) => {
      const stop = (): void => this.answer(waiter, []);
      const cancelTimeout = this.#clock.schedule(stop, waitMs);
      signal.addEventListener('abort', stop);
      const cancel = (): void => {
        cancelTimeout();
        signal.removeEventListener('abort', stop);
      };
      const waiter: Waiter = { reader, max, answer: resolve, fail: reject, cancel };
      this.#waiters.add(waiter);
    });
  }

  answer(waiter: Waiter, received: readonly Received[]): void {
    this.#remove(waiter);
    waiter.answer(received);
  }

  /** Ends what this reader waits for, empty. */
  end(reader: Reader): void {
    for (const waiter of this.#of(reader)) this.answer(waiter, []);
  }

  /** What this reader waits for never ends: its process is gone. */
  forget(reader: Reader): void {
    for (const waiter of this.#of(reader)) this.#remove(waiter);
  }

  failAll(error: Error): void {
    for (const waiter of [...this.#waiters]) {
      this.#remove(waiter);
      waiter.fail(error);
    }
  }

  /** Raises the alarm at `atMs` (Infinity: never) unless it is raised before that anyhow, or nobody waits. */
  alarm(atMs: number): void {
    if (this.#waiters.size === 0 || atMs >= this.#alarmAt) return;
    this.#cancelAlarm?.();
    this.#alarmAt = atMs;
    this.#cancelAlarm = this.#clock.schedule(() => {
      this.#silence();
      this.#onAlarm();
    }, atMs - this.#clock.now());
  }

  #of(reader: Reader): readonly Waiter[] {
    return [...this.#waiters].filter((waiter) => waiter.reader === reader);
  }

  #remove(waiter: Waiter): void {
    waiter.cancel();
    this.#waiters.delete(waiter);
    if (this.#waiters.size === 0) this.#silence();
  }

  #silence(): void {
    this.#cancelAlarm?.();
    this.#cancelAlarm = null;
    this.#alarmAt = Number.POSITIVE_INFINITY;
  }
}
