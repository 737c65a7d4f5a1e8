import fc from 'fast-check';
import { backoff } from 'signalbox';
import { describe, expect, it } from 'vitest';
import { afterFailure, afterPostpone } from '../../src/queue/verdict.js';

const policy = { initialMs: 1_000, factor: 2, maxMs: 60_000, jitter: 0.2 };
const topic = { maxAttempts: 5, backoff: policy };
const counts = { attempt: 1, postpones: 3, firstFailedAt: null };

describe('back-off', () => {
  it('grows from 1 s by 2 up to 60 s', () => {
    const steps = [1, 2, 3, 4, 5, 6, 7, 8, 100].map((n) => backoff(n, policy, 0.5));

    expect(steps).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });

  it('jitter of 20 % is added and taken away, also at the cap, so that what failed together does not return together', () => {
    expect([0, 0.25, 0.75, 1 - Number.EPSILON].map((random) => backoff(1, policy, random))).toEqual([
      800, 900, 1_100, 1_200,
    ]);
    expect([0, 1 - Number.EPSILON].map((random) => backoff(50, policy, random))).toEqual([48_000, 72_000]);
  });

  it('is a whole, finite number of milliseconds within its bounds, for any policy and after any number of failures', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.record({
          initialMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
          factor: fc.double({ min: 1, max: 1e6, noNaN: true }),
          maxMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
          jitter: fc.double({ min: 0, max: 1, noNaN: true }),
        }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (n, any, random) => {
          const delayMs = backoff(n, any, random);

          expect(Number.isSafeInteger(delayMs)).toBe(true);
          expect(delayMs).toBeGreaterThanOrEqual(0);
          expect(delayMs).toBeLessThanOrEqual(Math.ceil(any.maxMs * (1 + any.jitter)));
          if (any.jitter === 0 && any.initialMs <= any.maxMs)
            expect(delayMs).toBeGreaterThanOrEqual(Math.floor(any.initialMs));
        },
      ),
      { examples: [[2_000, { initialMs: 0, factor: 2, maxMs: 60_000, jitter: 0.2 }, 0.5]] },
    );
  });
});

describe('a nack', () => {
  it('before the last attempt comes again after the back-off, as the next attempt', () => {
    expect(
      afterFailure(topic, { counts: { ...counts, attempt: 2 }, requeueAfterMs: null, now: 77, random: 0.5 }),
    ).toEqual({
      kind: 'again',
      delayMs: 2_000,
      counts: { attempt: 3, postpones: 3, firstFailedAt: 77 },
    });
  });

  it('comes again after the delay that it asks for, 0 included', () => {
    for (const requeueAfterMs of [0, 250]) {
      expect(afterFailure(topic, { counts, requeueAfterMs, now: 0, random: 0.5 })).toMatchObject({
        delayMs: requeueAfterMs,
      });
    }
  });

  it('of the last attempt makes a dead letter, whatever delay it asks for', () => {
    for (const attempt of [5, 6]) {
      expect(afterFailure(topic, { counts: { ...counts, attempt }, requeueAfterMs: 1, now: 0, random: 0 })).toEqual({
        kind: 'dead',
        cause: 'attempts-exhausted',
      });
    }
  });

  it('never makes one where maxAttempts is Infinity', () => {
    const forEver = { ...topic, maxAttempts: Number.POSITIVE_INFINITY };

    expect(
      afterFailure(forEver, { counts: { ...counts, attempt: 1e9 }, requeueAfterMs: null, now: 0, random: 0.5 }),
    ).toMatchObject({
      kind: 'again',
      delayMs: 60_000,
      counts: { attempt: 1e9 + 1 },
    });
  });

  it('keeps when the message failed first', () => {
    expect(
      afterFailure(topic, { counts: { ...counts, firstFailedAt: 5 }, requeueAfterMs: 0, now: 77, random: 0 }),
    ).toMatchObject({ counts: { firstFailedAt: 5 } });
  });
});

describe('a postpone', () => {
  it('counts itself and nothing else, any number of times', () => {
    const often = { attempt: 5, postpones: 1_000_000, firstFailedAt: 5 };

    expect(afterPostpone(often, 250)).toEqual({
      kind: 'again',
      delayMs: 250,
      counts: { ...often, postpones: 1_000_001 },
    });
  });
});
