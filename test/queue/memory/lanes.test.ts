import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shareLanes } from '../../../src/queue/memory/lanes.js';

const count = (owners: readonly unknown[], reader: unknown): number =>
  owners.filter((owner) => owner === reader).length;

test('lanes are shared evenly, every lane is read, and no more of them move than must', () => {
  const scenario = fc.record({
    lanes: fc.integer({ min: 1, max: 40 }),
    changes: fc.array(fc.nat(9), { maxLength: 20 }),
  });
  fc.assert(
    fc.property(scenario, ({ lanes, changes }) => {
      let owners: readonly (number | null)[] = new Array(lanes).fill(null);
      const readers: number[] = [];
      for (const change of changes) {
        const at = readers.indexOf(change);
        if (at >= 0) readers.splice(at, 1);
        else readers.push(change);
        const before = owners;
        owners = shareLanes(owners, readers);

        const counts = readers.map((reader) => count(owners, reader));
        expect(counts.reduce((sum, has) => sum + has, 0)).toBe(readers.length === 0 ? 0 : lanes);
        if (readers.length === 0) continue;
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        const moved = owners.filter((owner, lane) => owner !== before[lane]).length;
        const needed = at >= 0 ? count(before, change) : count(owners, change);
        expect(moved).toBe(readers.length === 1 && at < 0 ? lanes : needed);
      }
    }),
  );
});
