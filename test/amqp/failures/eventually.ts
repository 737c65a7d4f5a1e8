import { eventually as eventuallyWithin, soon as soonWithin } from '../../mysql/eventually.js';

export { timeFactor } from '../../mysql/eventually.js';

/** For what has no bound of its own: a laggard is a defect, a busy machine with two brokers on it is not. */
const patienceMs = 40_000;

export function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  withinMs = patienceMs,
): Promise<Exclude<T, false | null | undefined>> {
  return eventuallyWithin(what, look, withinMs);
}

export function soon<T>(what: string, promise: Promise<T>, withinMs = patienceMs): Promise<T> {
  return soonWithin(what, promise, withinMs);
}
