import { createHash } from 'node:crypto';

/**
 * A number of 256 bits that stands for this list of values and no other, the same in every process.
 * Hashed as JSON, which keeps `['ab', 'c']` apart from `['a', 'bc']`, and strings that are equal only as UTF-8.
 */
export function digest(...values: readonly (string | number)[]): Buffer {
  return createHash('sha256').update(JSON.stringify(values)).digest();
}
