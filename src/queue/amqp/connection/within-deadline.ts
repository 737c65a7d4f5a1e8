import type { Clock } from '../../driver.js';

/**
 * What `work` resolves with, or after `deadlineMs` a rejection with what `late` answers; whatever `work` does after
 * that is nobody's concern any more.
 */
export function withinDeadline<T>(work: Promise<T>, clock: Clock, deadlineMs: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.schedule(() => reject(late()), deadlineMs);
    work.then(resolve, reject).finally(cancel);
  });
}
