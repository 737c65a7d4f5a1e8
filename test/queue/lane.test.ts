import fc from 'fast-check';
import { fnv1a32, laneOf } from 'signalbox';
import { describe, expect, test } from 'vitest';

const utf8 = new TextEncoder();

describe('the lane of a key', () => {
  // The first vectors are those of the algorithm's authors; the others were computed with a second implementation, below.
  test.each([
    ['', 0x811c9dc5],
    ['a', 0xe40c292c],
    ['b', 0xe70c2de5],
    ['foobar', 0xbf9cf968],
    ['hello', 0x4f9f2cab],
    ['ä', reference('ä')],
    ['日本', reference('日本')],
    ['🚦', reference('🚦')],
    ['a\u0308', reference('a\u0308')],
  ])('the hash of %j is fixed for ever', (key, hash) => {
    expect(fnv1a32(utf8.encode(key))).toBe(hash);
  });

  test.each([
    ['', 8, 0x811c9dc5 % 8],
    ['a', 8, 4],
    ['foobar', 8, 0],
    ['foobar', 3, 0xbf9cf968 % 3],
    ['anything', 1, 0],
  ])('of %j among %i lanes is %i', (key, lanes, lane) => {
    expect(laneOf(key, lanes)).toBe(lane);
  });

  test('is a hash of its UTF-8 bytes, modulo the lanes, for any key', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 1024 }), (key, lanes) => {
        expect(fnv1a32(utf8.encode(key))).toBe(reference(key));
        expect(laneOf(key, lanes)).toBe(lanes === 1 ? 0 : reference(key) % lanes);
      }),
      { numRuns: 1_000 },
    );
  });

  test('spreads keys evenly enough', () => {
    const counts = new Array<number>(8).fill(0);

    for (let n = 0; n < 8_000; n++) counts[laneOf(`order-${n}`, 8)] = (counts[laneOf(`order-${n}`, 8)] ?? 0) + 1;

    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(200);
  });
});

/** Written from the specification with arbitrary precision, so that no 32-bit trick is shared with what is tested. */
function reference(key: string): number {
  let hash = 0x811c9dc5n;
  for (const byte of utf8.encode(key)) hash = ((hash ^ BigInt(byte)) * 0x01000193n) % 2n ** 32n;
  return Number(hash);
}
