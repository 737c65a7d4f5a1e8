import { modelRun } from 'signalbox/conformance';
import { expect, it } from 'vitest';
import { sqliteHarness } from './sqlite-harness.js';

/**
 * The SQLite driver's issue is open: the model of a driver found something once, in 40 sequences (docs/decisions/sqlite-driver.md).
 * Run by whoever works on it, with SIGNALBOX_TEST_OPEN=1; else reported as skipped, by name.
 */
const skipped = process.env.SIGNALBOX_TEST_OPEN === undefined;

it.skipIf(skipped).each(['driver', 'queue'] as const)(
  `the model of a %s finds nothing in 40 sequences on SQLite${skipped ? ': open, run with SIGNALBOX_TEST_OPEN=1' : ''}`,
  async (layer) => {
    const harness = sqliteHarness();

    const { failure, runs } = await modelRun({ harness, layer, runs: 40 });

    await harness.close?.();
    expect(failure?.report ?? null).toBeNull();
    expect(runs).toBe(40);
  },
  120_000,
);
