import { modelRun } from 'signalbox/conformance';
import { expect, it } from 'vitest';
import { sqliteHarness } from './sqlite-harness.js';

it.each(['driver', 'queue'] as const)(
  'the model of a %s finds nothing in 40 sequences on SQLite',
  async (layer) => {
    const harness = sqliteHarness();

    const { failure, runs } = await modelRun({ harness, layer, runs: 40 });

    await harness.close?.();
    expect(failure?.report ?? null).toBeNull();
    expect(runs).toBe(40);
  },
  120_000,
);
