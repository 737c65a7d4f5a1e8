import { readFileSync } from 'node:fs';
import { modelRun, registerConformance } from 'signalbox/conformance';
import { describe, expect, test } from 'vitest';
import { shelfHarness } from '../../examples/one-file-driver/conformance.js';

describe('the example driver', async () => {
  await registerConformance({ test, skip: (name) => test.skip(name) }, shelfHarness());

  test.each(['driver', 'queue'] as const)('behaves as the model does (%s)', async (layer) => {
    const { failure } = await modelRun({ harness: shelfHarness(), layer, runs: 50, seed: 1 });

    expect(failure?.report).toBeUndefined();
  });

  test('has fewer than 340 lines', () => {
    const source = readFileSync(new URL('../../examples/one-file-driver/driver.ts', import.meta.url), 'utf8');

    expect(source.trimEnd().split('\n').length).toBeLessThan(340);
  });
});
