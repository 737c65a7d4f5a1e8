import fc from 'fast-check';
import { matches } from 'signalbox';
import { describe, expect, test } from 'vitest';

/** The rule as its definition says it, word by word: what a reader checks, and too slow for a publisher. */
function naive(pattern: readonly string[], key: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return key.length === 0;
  if (first === '#') return naive(rest, key) || (key.length > 0 && naive(pattern, key.slice(1)));
  if (key.length === 0) return false;
  return (first === '*' || first === key[0]) && naive(rest, key.slice(1));
}

function naively(pattern: string, key: string | null): boolean {
  const words = (text: string): string[] => (text === '' ? [] : text.split('.'));
  return naive(words(pattern), words(key ?? ''));
}

const word = fc.constantFrom('a', 'b', 'ab', '', 'A', 'ä');
const keyOf = (words: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.array(words, { maxLength: 6 }).map((parts) => parts.join('.'));
const patternWord = fc.oneof(word, fc.constantFrom('*', '#', 'a*', '##'));

describe('a pattern accepts a routing key', () => {
  test.each([
    // pattern, routing key, accepted
    ['#', null, true],
    ['#', '', true],
    ['#', 'a', true],
    ['#', 'a.b.c', true],
    ['', null, true],
    ['', '', true],
    ['', 'a', false],
    ['*', null, false],
    ['*', '', false],
    ['*', 'a', true],
    ['*', '.', false],
    ['*', 'a.b', false],
    ['*.*', '.', true],
    ['*.*', 'a.', true],
    ['*.*', '.b', true],
    ['*.*.*', '..', true],
    ['a.*', 'a', false],
    ['a.*', 'a.', true],
    ['a.*', 'a.b', true],
    ['a.*', 'a.b.c', false],
    ['*.b', 'b', false],
    ['a.#', 'a', true],
    ['a.#', 'a.b.c', true],
    ['a.#', 'ab', false],
    ['#.b', 'b', true],
    ['#.b', 'a.a.b', true],
    ['#.b', 'b.a', false],
    ['a.#.b', 'a.b', true],
    ['a.#.b', 'a.x.y.b', true],
    ['a.#.b', 'ab', false],
    ['a.#.b.#.c', 'a.b.b.c', true],
    ['#.*', '', false],
    ['#.*', 'a', true],
    ['*.#', null, false],
    ['#.#', '', true],
    ['#.#', 'a.b', true],
    ['a.*.c', 'a..c', true],
    ['a', 'A', false],
    ['a', 'a ', false],
    ['a*', 'ab', false],
    ['a*', 'a*', true],
    ['##', 'a', false],
    ['##', '##', true],
    ['*', '*', true],
    ['*', '#', true],
    ['a.b', 'a.b', true],
    ['a.b', 'a', false],
    ['ä.*', 'ä.ö', true],
    // One form of Unicode is not the other.
    ['ä', 'a\u0308', false],
  ] as const)('%j and %j: %j', (pattern, key, accepted) => {
    expect(matches(pattern, key)).toBe(accepted);
    expect(naively(pattern, key)).toBe(accepted);
  });

  test('as the definition says it, for any pattern and key', () => {
    fc.assert(
      fc.property(keyOf(patternWord), fc.option(keyOf(word)), (pattern, key) => {
        expect(matches(pattern, key)).toBe(naively(pattern, key));
      }),
      { numRuns: 5_000 },
    );
  });

  test('whenever the key is the pattern, unless a special word stands for another number of words', () => {
    fc.assert(
      fc.property(keyOf(word), (key) => {
        expect(matches(key, key)).toBe(true);
        expect(matches('#', key)).toBe(true);
        // An empty key has no words, but `#.` has an empty one.
        expect(matches(`#.${key}`, key)).toBe(key !== '');
      }),
    );
  });

  test('at a cost that does not explode with many #', () => {
    const pattern = many('#.a', 60);
    const key = `${many('a', 200)}.b`;

    const startedAt = performance.now();
    const accepted = matches(pattern, key);

    expect(accepted).toBe(false);
    // Trying every split would take longer than the universe; one second is no measurement.
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});

function many(text: string, times: number): string {
  return Array.from({ length: times }, () => text).join('.');
}
