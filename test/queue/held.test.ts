import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Held, type Holdable } from '../../src/queue/held.js';

interface Entry extends Holdable {
  readonly name: string;
}

function entry(name: string, key: string | null = null, redeliveries = 0, id = name): Entry {
  return { name, id, key, redeliveries, arrival: 0, slot: -1 };
}

function held(ordered: boolean, ...batches: readonly (readonly Entry[])[]): Held<Entry> {
  const all = new Held<Entry>(ordered);
  for (const batch of batches) all.add(batch);
  return all;
}

/** Takes all that can be taken at once. */
function takeAll(from: Held<Entry>): Entry[] {
  const taken: Entry[] = [];
  for (let one = from.take(); one !== null; one = from.take()) taken.push(one);
  return taken;
}

const names = (entries: readonly Entry[]): string => entries.map(({ name }) => name).join(' ');

describe('on ordered topics', () => {
  it('one of a key is started at a time, in the order of arrival; other keys go on', () => {
    const [a1, a2, b1, a3] = [entry('a1', 'a'), entry('a2', 'a'), entry('b1', 'b'), entry('a3', 'a')];
    const all = held(true, [a1, a2], [b1, a3]);

    expect(names(takeAll(all))).toBe('a1 b1');
    all.end(a1);
    expect(names(takeAll(all))).toBe('a2');
    all.end(b1);
    expect(names(takeAll(all))).toBe('');
    all.end(a2);
    expect(names(takeAll(all))).toBe('a3');
  });

  it('messages without a key wait for nobody', () => {
    expect(names(takeAll(held(true, [entry('m1'), entry('m2')])))).toBe('m1 m2');
  });

  it('when the first of a key is removed, the next may start', () => {
    const [a1, a2] = [entry('a1', 'a'), entry('a2', 'a')];
    const all = held(true, [a1, a2]);

    expect(all.remove(a1)).toBe(true);
    expect(all.remove(a1)).toBe(false);
    expect(names(takeAll(all))).toBe('a2');
  });
});

describe('on unordered topics', () => {
  it('keys mean nothing', () => {
    expect(names(takeAll(held(false, [entry('a1', 'a'), entry('a2', 'a')])))).toBe('a1 a2');
  });
});

describe('a suspect', () => {
  it('is what was handed out more than twice without an answer', () => {
    expect(held(false, [entry('twice', null, 2)]).holdsSuspect).toBe(false);
    expect(held(false, [entry('thrice', null, 3)]).holdsSuspect).toBe(true);
  });

  it('starts after all that came with it, when these have ended, and nothing starts beside it', () => {
    const [suspect, one, two, later] = [entry('suspect', null, 3), entry('one'), entry('two'), entry('later')];
    const all = held(false, [suspect, one, two], [later]);

    expect(names(takeAll(all))).toBe('one two');
    all.end(one);
    expect(all.take()).toBeNull();
    all.end(two);
    expect(names(takeAll(all))).toBe('suspect');
    expect(all.holdsSuspect).toBe(true);
    all.end(suspect);
    expect(names(takeAll(all))).toBe('later');
    expect(all.holdsSuspect).toBe(false);
  });

  it('starts after what came with it and waited behind its key', () => {
    const [a1, a2, b1, b2, later] = [
      entry('a1', 'a'),
      entry('a2', 'a', 3),
      entry('b1', 'b'),
      entry('b2', 'b'),
      entry('later', 'c'),
    ];
    const all = held(true, [a1, a2, b1, b2]);

    expect(names(takeAll(all))).toBe('a1 b1');
    all.add([later]);
    all.end(b1);
    all.end(a1);
    expect(names(takeAll(all))).toBe('b2');
    all.end(b2);

    expect(names(takeAll(all))).toBe('a2');
  });

  it('that is removed holds up nobody', () => {
    const [suspect, later] = [entry('suspect', null, 3), entry('later')];
    const all = held(false, [suspect], [later]);

    expect(all.remove(suspect)).toBe(true);
    expect(names(takeAll(all))).toBe('later');
  });

  it('of any two, each goes first in one of two rounds, also when their ids hash alike', () => {
    const id = fc.oneof(
      fc.uuid(),
      fc.string({ unit: fc.constantFrom('A', 'B', 'a', 'b'), minLength: 1, maxLength: 4 }),
    );
    fc.assert(
      fc.property(id, id, fc.nat({ max: 5 }), fc.nat({ max: 5 }), fc.boolean(), (one, other, n, m, swapped) => {
        fc.pre(one !== other);

        const first = [0, 1].map((round) => {
          const both = [entry('one', null, 3 + n + round, one), entry('other', null, 3 + m + round, other)];
          return held(false, swapped ? both.toReversed() : both).take()?.name;
        });

        expect(new Set(first).size).toBe(2);
      }),
      {
        examples: [
          ['Aa', 'BB', 0, 0, false],
          ['Aa', 'BB', 0, 1, true],
        ],
        numRuns: 500,
      },
    );
  });

  it('that kills its process is the only one of 64 that does not get through within 20 rounds', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.uuid(), { minLength: 64, maxLength: 64 }), fc.nat({ max: 63 }), (ids, at) => {
        const killer = ids[at];
        let waiting = ids.map((id) => ({ id, redeliveries: 0 }));
        for (let round = 0; round < 20; round++) {
          const all = held(
            false,
            waiting.map(({ id, redeliveries }) => entry(id, null, redeliveries)),
          );
          const done = new Set<string>();
          // Four at once. What is started beside the killer, or after it, comes again with it.
          for (;;) {
            const started = [all.take(), all.take(), all.take(), all.take()].filter((one) => one !== null);
            if (started.length === 0 || started.some(({ id }) => id === killer)) break;
            for (const one of started) {
              done.add(one.id);
              all.end(one);
            }
          }
          waiting = waiting
            .filter(({ id }) => !done.has(id))
            .map(({ id, redeliveries }) => ({ id, redeliveries: redeliveries + 1 }));
        }
        expect(waiting.map(({ id }) => id)).toEqual([killer]);
      }),
      { numRuns: 50 },
    );
  });
});

describe('whatever happens in whatever order', () => {
  const command = fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: fc.constant('take' as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('add' as const),
        entries: fc.array(
          fc.record({
            key: fc.constantFrom(null, 'a', 'b', 'c'),
            redeliveries: fc.constantFrom(0, 0, 0, 0, 1, 3, 4),
          }),
          { minLength: 1, maxLength: 6 },
        ),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('end' as const), which: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), which: fc.nat() }) },
  );

  it('nothing is lost, nothing is started twice, and no key has two started or one out of turn', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.array(command, { maxLength: 60 }), (ordered, commands) => {
        const all = new Held<Entry>(ordered);
        const unstarted = new Set<Entry>();
        const started = new Set<Entry>();
        let count = 0;

        const check = (): void => {
          expect(new Set(all.allUnstarted())).toEqual(unstarted);
          expect(new Set(all.allStarted())).toEqual(started);
          expect([all.size, all.unstarted, all.started]).toEqual([
            unstarted.size + started.size,
            unstarted.size,
            started.size,
          ]);
          for (const [slot, one] of all.allStarted().entries()) expect(one.slot).toBe(slot);
        };
        const take = (): Entry | null => {
          const one = all.take();
          if (one === null) return null;
          expect(unstarted.delete(one)).toBe(true);
          const suspect = one.redeliveries > 2;
          if (suspect) expect(started.size, 'a suspect starts alone').toBe(0);
          for (const other of started) {
            expect(other.redeliveries, 'nothing starts beside a suspect').toBeLessThanOrEqual(2);
            if (ordered && one.key !== null) expect(other.key).not.toBe(one.key);
          }
          const number = (of: Entry): number => Number(of.name);
          for (const other of unstarted) {
            const sameKey = ordered && one.key !== null && other.key === one.key;
            if (sameKey) expect(number(other), 'keys stay in order').toBeGreaterThan(number(one));
            if (suspect && other.redeliveries <= 2 && !sameKey && !behindAnother(other))
              expect(other.arrival, 'a suspect starts after what came with it').toBeGreaterThan(one.arrival);
          }
          started.add(one);
          return one;
        };
        /** Whether something that is not started comes before it in its key's line. */
        const behindAnother = (one: Entry): boolean =>
          ordered &&
          one.key !== null &&
          [...unstarted].some((other) => other.key === one.key && Number(other.name) < Number(one.name));

        for (const step of commands) {
          if (step.do === 'take') take();
          else if (step.do === 'add') {
            const entries = step.entries.map(({ key, redeliveries }) => entry(String(count++), key, redeliveries));
            for (const one of entries) unstarted.add(one);
            all.add(entries);
          } else if (step.do === 'end') {
            const any = [...started, ...unstarted][step.which % Math.max(1, started.size + unstarted.size)];
            if (any !== undefined) {
              all.end(any); // of one that was not started: ignored
              started.delete(any);
            }
          } else {
            const any = [...unstarted, ...started][step.which % Math.max(1, started.size + unstarted.size)];
            if (any !== undefined) expect(all.remove(any)).toBe(unstarted.delete(any));
          }
          check();
        }
        // All of it gets its turn in the end.
        while (unstarted.size + started.size > 0) {
          if (take() !== null) continue;
          expect(started.size, 'something can be started, or has to end first').toBeGreaterThan(0);
          const [first] = started as Set<Entry>;
          all.end(first as Entry);
          started.delete(first as Entry);
        }
        check();
        expect(all.holdsSuspect).toBe(false);
      }),
      { numRuns: 500 },
    );
  });
});
