import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Confirms } from '../../../src/queue/amqp/connection/confirms.js';

const published = fc.record({ publish: fc.nat(5), of: fc.nat(), multiple: fc.boolean() });

it('each message is confirmed once, by the first confirm that means it', () => {
  fc.assert(
    fc.property(fc.array(published, { maxLength: 3_000 }), (steps) => {
      const confirms = new Confirms<number>();
      const open = new Set<number>();
      let last = 0;
      for (const { publish, of, multiple } of steps) {
        for (let n = 0; n < publish; n++) {
          confirms.add(++last);
          open.add(last);
        }
        // Also what was confirmed before, which no broker does; it never confirms what was not published.
        const tag = last === 0 ? 0 : 1 + (of % last);
        const meant = multiple ? [...open].filter((each) => each <= tag) : [...open].filter((each) => each === tag);
        const told: number[] = [];
        confirms.take(tag, multiple, (each) => told.push(each));
        expect(told).toEqual(meant);
        for (const each of meant) open.delete(each);
      }
    }),
    { numRuns: 50 },
  );
});
