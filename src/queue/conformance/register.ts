import { allCases } from './cases.js';
import type { Harness } from './harness.js';
import { obstacleTo } from './needs.js';
import { aloneLast, capabilitiesOf, runCase, runsAlone, turnsFor } from './run.js';

/** What the suite uses of a test runner; the functions of vitest and node:test fit. */
export interface ConformanceTestApi {
  readonly test: (name: string, run: () => Promise<void>) => unknown;
  /**
   * Registers a test that may run beside its neighbours (`test.concurrent` of vitest). With it, a run in real time
   * takes a fraction of its time. Cases that run alone, and all of them on a virtual clock, go to `test`.
   */
  readonly concurrent?: ((name: string, run: () => Promise<void>) => unknown) | undefined;
  /** Reports a case that is not run here, with the reason in its name. Without it such a case is left out. */
  readonly skip?: ((name: string) => unknown) | undefined;
}

export interface RegisterOptions {
  /** How many cases run at once where the test runner lets them. Default 8. */
  readonly concurrency?: number | undefined;
}

/**
 * Registers each case with a test runner, those that run alone last. Opens a client first, to learn what the
 * backend can do, so it must be awaited where tests are collected. Time limits and `harness.close` are the caller's.
 */
export async function registerConformance(
  api: ConformanceTestApi,
  harness: Harness,
  { concurrency }: RegisterOptions = {},
): Promise<void> {
  const turns = turnsFor(harness, concurrency);
  const capabilities = await capabilitiesOf(harness);
  const beside = harness.time.kind === 'real' ? (api.concurrent ?? api.test) : api.test;
  for (const each of aloneLast(allCases)) {
    const name = `${each.number} ${each.id.replaceAll('-', ' ')} (${each.layer})`;
    const obstacle = obstacleTo(each.needs, capabilities, harness);
    const alone = runsAlone(each);
    const run = (): Promise<void> => turns.take(alone, () => runCase(each, harness, capabilities));
    if (obstacle !== null) api.skip?.(`${name}: ${phrases[obstacle.status]}, ${obstacle.reason}`);
    else if (alone) api.test(name, run);
    else beside(name, run);
  }
}

const phrases = { 'not-applicable': 'not applicable', 'needs-faults': 'not exercised' } as const;
