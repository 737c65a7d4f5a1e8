import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LaneState, lanesToHandOver } from '../../src/queue/amqp/lanes-to-hand-over.js';

const ours = (inHand = 0, mostRedeliveries = 0): LaneState => ({ isOurs: true, inHand, mostRedeliveries });
const theirs: LaneState = { isOurs: false, inHand: 0, mostRedeliveries: 0 };

describe('lanes to hand over', () => {
  it('are none for who reads alone, or has no more than its share', () => {
    expect(lanesToHandOver(Array(8).fill(ours()), 1)).toEqual([]);
    expect(lanesToHandOver([ours(), ours(), ours(), theirs, theirs, theirs, theirs, theirs], 3)).toEqual([]);
    expect(lanesToHandOver([ours(), theirs, theirs], 20)).toEqual([]);
  });

  it('are those above the share, with the least in hand first', () => {
    expect(lanesToHandOver([ours(4), ours(0), ours(3), ours(1)], 2)).toEqual([1, 3]);
  });

  it('are none whose messages were handed out again before, so that nothing is passed on until it is a suspect', () => {
    expect(lanesToHandOver([ours(0, 2), ours(1, 1), ours(2, 0), ours(3, 7)], 4)).toEqual([1, 2]);
  });

  it('however they are shared out at first, end with nobody above its share, and stay there', () => {
    const shares = fc.record({ lanes: fc.integer({ min: 1, max: 16 }), readers: fc.integer({ min: 1, max: 20 }) });
    fc.assert(
      fc.property(shares, fc.infiniteStream(fc.nat()), ({ lanes, readers }, lots) => {
        // Each lane has a line of readers; the first has it, who lets go goes to its end.
        const all = Array.from({ length: readers }, (_, reader) => reader);
        const lines = Array.from({ length: lanes }, () => {
          const at = (lots.next().value ?? 0) % readers;
          return [...all.slice(at), ...all.slice(0, at)];
        });
        const share = Math.ceil(lanes / readers);
        const excessOf = (reader: number): readonly number[] =>
          lanesToHandOver(
            lines.map((line) => (line[0] === reader ? ours() : theirs)),
            readers,
          );

        for (let rounds = 0; rounds < readers * lanes && all.some((reader) => excessOf(reader).length > 0); rounds++) {
          for (const reader of all) {
            for (const lane of excessOf(reader)) lines[lane]?.push(lines[lane].shift() as number);
          }
        }

        for (const reader of all) expect(lines.filter(([first]) => first === reader).length).toBeLessThanOrEqual(share);
      }),
    );
  });
});
