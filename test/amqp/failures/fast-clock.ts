import { type Clock, systemClock } from 'signalbox';

/** A clock on which time passes `factor` times as fast, for deadlines of half a minute. Delays and leases are wrong on it. */
export function fastClock(factor: number): Clock {
  return {
    now: () => systemClock.now() * factor,
    schedule: (callback, delayMs) => systemClock.schedule(callback, delayMs / factor),
  };
}
