import { randomBytes } from 'node:crypto';

/** Claims that one holder makes before their numbers begin again: over an hour of 1 000 a second, and a lease is seconds. */
const claimsPerHolder = 2 ** 20;

/** The tokens of one holder's claims: a range, so that they can be found by it. Below 2^53 for the first eight thousand million holders. */
export function tokensOf(holder: number): {
  readonly first: number;
  readonly last: number;
  readonly nth: (claim: number) => number;
} {
  const first = holder * claimsPerHolder;
  return { first, last: first + claimsPerHolder - 1, nth: (claim) => first + (claim % claimsPerHolder) };
}

/** What a row that waits is marked with when it is drained: random, and above what the claims of 2^32 holders have. */
export function drainToken(): number {
  const twoTo52 = 2 ** 52;
  return twoTo52 + Number(randomBytes(8).readBigUInt64BE() >> 12n);
}
