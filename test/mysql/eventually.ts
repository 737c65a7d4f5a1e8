import { setTimeout as pause } from 'node:timers/promises';

/** What the bounds of these tests are multiplied with; a slow machine may raise it. */
export const timeFactor = Number(process.env.SIGNALBOX_TEST_TIME_FACTOR ?? '1');

/** Looks again and again until `look` answers something other than false, null or undefined; fails with `what` when it does not in time. */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  withinMs = 10_000,
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = performance.now() + withinMs * timeFactor;
  for (;;) {
    const seen = await look();
    if (seen !== false && seen !== null && seen !== undefined) return seen as Exclude<T, false | null | undefined>;
    if (performance.now() > deadline) throw new Error(`within ${withinMs * timeFactor} ms it did not happen: ${what}`);
    await pause(5);
  }
}

/** Answers as `promise` does; fails with `what` when it does not in time. */
export async function soon<T>(what: string, promise: Promise<T>, withinMs = 10_000): Promise<T> {
  let ended = false;
  const end = (): void => {
    ended = true;
  };
  promise.then(end, end);
  await eventually(what, () => ended, withinMs);
  return promise;
}
