import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * What was rejected while `work` ran and nobody waited for. A case that fails leaves calls behind that reject later, and
 * Node.js ends the process for such a one: before there is a report, where nobody listens.
 */
export async function straysOf(work: () => Promise<unknown>): Promise<readonly unknown[]> {
  const strays: unknown[] = [];
  const keep = (reason: unknown): void => void strays.push(reason);
  process.on('unhandledRejection', keep);
  try {
    await work();
    await nextTurn();
  } finally {
    process.off('unhandledRejection', keep);
  }
  return strays;
}
