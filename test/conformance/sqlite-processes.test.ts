import { modelRun, registerConformance } from 'signalbox/conformance';
import { afterAll, describe, expect, it, test } from 'vitest';
import { sqliteProcessesHarness } from './sqlite-processes-harness.js';

/** Every client is a process, and a dozen of them share two cores and one writer. */
const timeFactor = 3 * Number(process.env.SIGNALBOX_TEST_TIME_FACTOR ?? '1');

/** Sequences take seconds in real time: few per run, other ones every time. */
const runs = Number(process.env.SIGNALBOX_TEST_MODEL_RUNS ?? '10');

/** Minutes in real time. Run by hand, with SIGNALBOX_TEST_SLOW=1; else reported as skipped, by name. */
const isLeftOut = process.env.SIGNALBOX_TEST_SLOW === undefined;

const api = { test, concurrent: test.concurrent, skip: (name: string) => test.skip(name) };

if (isLeftOut) test.skip('SQLite, every client a process: run with SIGNALBOX_TEST_SLOW=1');
else {
  describe('SQLite, every client a process', { timeout: 120_000 * timeFactor }, async () => {
    const harness = sqliteProcessesHarness(timeFactor);
    afterAll(() => harness.close?.());
    await registerConformance(api, harness);
  });

  describe('the models, on SQLite, every client a process', () => {
    it.each(['driver', 'queue'] as const)(
      'find nothing, layer %s',
      async (layer) => {
        const harness = sqliteProcessesHarness(timeFactor);

        const { failure } = await modelRun({ harness, layer, runs });

        await harness.close?.();
        expect(failure?.report ?? null).toBeNull();
      },
      600_000,
    );
  });
}
