import { digest } from '../digest.js';

/** What every draw of a scripted runner starts from. */
export type Seed = string | number;

/**
 * A number in [0, 1) that depends on the seed and on what is being decided, and on nothing else. One
 * stream of random numbers would not do: the order of concurrent calls would decide who draws what.
 */
export function chance(seed: Seed, ...decision: readonly (string | number)[]): number {
  return digest('chance', seed, ...decision).readUIntBE(0, 6) / 2 ** 48;
}
