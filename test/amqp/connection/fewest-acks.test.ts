import { expect, test } from 'vitest';
import { fewestAcks } from '../../../src/queue/amqp/connection/fewest-acks.js';

const one = (tag: number) => ({ tag, multiple: false });
const upTo = (tag: number) => ({ tag, multiple: true });

test.each([
  ['nothing', [], null, []],
  ['one alone', [7], null, [one(7)]],
  ['all, where nobody holds anything', [3, 1, 2], null, [upTo(3)]],
  ['all, where only later ones are held', [1, 2, 3], 4, [upTo(3)]],
  ['none together, where the first is held', [2, 3, 4], 1, [one(2), one(3), one(4)]],
  ['those before the oldest held together, the others one by one', [1, 5, 2, 6], 4, [upTo(2), one(5), one(6)]],
  ['a single one before the oldest held alone', [9, 3], 5, [one(3), one(9)]],
])('acks %s', (_, tags, oldestUnsettled, acks) => {
  expect(fewestAcks(tags, oldestUnsettled)).toEqual(acks);
});

test('no ack covers what somebody holds, and every tag is covered once', () => {
  // Every split of eight deliveries into held, acked before and acked now.
  for (let state = 0; state < 3 ** 8; state++) {
    const of = (tag: number): number => Math.floor(state / 3 ** (tag - 1)) % 3;
    const all = [1, 2, 3, 4, 5, 6, 7, 8];
    const held = all.filter((tag) => of(tag) === 0);
    const now = all.filter((tag) => of(tag) === 2);

    const acks = fewestAcks(now, held[0] ?? null);

    const covered = (tag: number): boolean => acks.some((ack) => (ack.multiple ? tag <= ack.tag : tag === ack.tag));
    expect(held.some(covered), `holds ${held.join()}, acks ${now.join()}`).toBe(false);
    expect(now.every(covered), `holds ${held.join()}, acks ${now.join()}`).toBe(true);
    expect(acks.every(({ tag }) => now.includes(tag))).toBe(true);
  }
});
