import { allCases, type CaseResult, runConformance } from 'signalbox/conformance';
import { describe, expect, test } from 'vitest';
import {
  type Limits,
  limited,
  withoutAnything,
  withoutAtomicOutbox,
  withoutDedup,
  withoutDepth,
  withoutLease,
  withoutRedeliveryCounts,
  withoutTransactions,
} from './limited.js';
import { memoryHarness } from './memory-harness.js';

const neverMs = 100 * 365 * 24 * 60 * 60 * 1_000;

describe('a backend that can less', () => {
  test.each<[string, Limits, readonly string[]]>([
    [
      'has no leases',
      withoutLease,
      [
        'extending-by-hand-is-refused-where-there-is-no-lease-and-the-delivery-stays-held',
        'no-lease-is-declared-where-there-is-none',
      ],
    ],
    [
      'has no idempotency keys',
      withoutDedup,
      [
        'an-idempotency-key-is-refused-where-there-are-none',
        'an-outbox-entry-with-a-key-is-refused-where-there-are-none',
      ],
    ],
    [
      'has no transactions',
      withoutTransactions,
      ['publishing-within-a-transaction-is-refused-where-there-are-none', 'within-is-refused'],
    ],
    ['confirms an outbox before the ack', withoutAtomicOutbox, []],
    ['cannot count redeliveries', withoutRedeliveryCounts, []],
    ['knows no depth', withoutDepth, []],
    ['has none of these, small limits, coarse delays and a window of keys', withoutAnything, []],
  ])(
    'keeps everything else when it %s',
    async (_, limits, refusals) => {
      const leaseMs = limits.capabilities.lease === null ? neverMs : 30_000;

      const { promises } = await runConformance(memoryHarness({ leaseMs, wrap: (driver) => limited(driver, limits) }));

      const results = promises.flatMap(({ cases }) => cases);
      expect(failuresOf(results)).toEqual([]);
      for (const id of refusals) expect(results.find((result) => result.id === id)?.status, id).toBe('passed');
    },
    60_000,
  );

  test('each capability is tested both ways: some case passes with it and some without it', async () => {
    const all = await runConformance(memoryHarness());
    const none = await runConformance(
      memoryHarness({ leaseMs: neverMs, wrap: (driver) => limited(driver, withoutAnything) }),
    );
    const passed = [all, none].flatMap(({ promises }) => promises.flatMap(({ cases }) => cases)).filter(isPassed);

    const ids = new Set(passed.map(({ id }) => id));

    expect(allCases.filter(({ id, needs }) => !ids.has(id) && !needs.includes('restartBackend'))).toEqual([]);
  }, 60_000);
});

function isPassed({ status }: CaseResult): boolean {
  return status === 'passed';
}

function failuresOf(results: readonly CaseResult[]): readonly string[] {
  return results.filter(({ status }) => status === 'failed').map(({ id, error }) => `${id}: ${String(error)}`);
}
