import { statSync } from 'node:fs';

/** Whether there is a file. What may not be looked at counts as there: whoever opens it says why. */
export function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}
