import { allCases } from './cases.js';
import type { Harness } from './harness.js';
import { obstacleTo } from './needs.js';
import { capabilitiesOf, runCase } from './run.js';

/** The two functions of a test runner that the suite uses; those of vitest and node:test fit. */
export interface ConformanceTestApi {
  readonly test: (name: string, run: () => Promise<void>) => unknown;
  /** Reports a case that is not run here, with the reason in its name. Without it such a case is left out. */
  readonly skip?: ((name: string) => unknown) | undefined;
}

/**
 * Registers each case with a test runner. Opens a client first, to learn what the backend can do, so it must
 * be awaited where tests are collected. Time limits and `harness.close` are the caller's.
 */
export async function registerConformance(api: ConformanceTestApi, harness: Harness): Promise<void> {
  const capabilities = await capabilitiesOf(harness);
  for (const each of allCases) {
    const name = `${each.number} ${each.id.replaceAll('-', ' ')} (${each.layer})`;
    const obstacle = obstacleTo(each.needs, capabilities, harness);
    if (obstacle === null) api.test(name, () => runCase(each, harness, capabilities));
    else api.skip?.(`${name}: ${phrases[obstacle.status]}, ${obstacle.reason}`);
  }
}

const phrases = { 'not-applicable': 'not applicable', 'needs-faults': 'not exercised' } as const;
