import { modelRun } from 'signalbox/conformance';
import { describe, expect, it } from 'vitest';
import { describeServers } from '../servers/index.js';
import { amqpHarness } from './amqp-harness.js';

const timeFactor = 2 * Number(process.env.SIGNALBOX_TEST_TIME_FACTOR ?? '1');

/** Minutes in real time. Run by hand and by the workflow, with SIGNALBOX_TEST_SLOW=1; else reported as skipped, by name. */
const skipped = process.env.SIGNALBOX_TEST_SLOW === undefined;

/** Sequences take seconds in real time: few per run, other ones every time. */
const runs = Number(process.env.SIGNALBOX_TEST_MODEL_RUNS ?? 6);

await describeServers(['rabbitmq'], (_, server) => {
  describe.each(['driver', 'queue'] as const)('the model of a %s', (layer) => {
    it.skipIf(skipped)(
      `finds nothing in ${runs} sequences${skipped ? ': run with SIGNALBOX_TEST_SLOW=1' : ''}`,
      async () => {
        const harness = amqpHarness({ url: await server().freshUrl(), version: server().version, timeFactor });

        const { failure } = await modelRun({ harness, layer, runs });

        expect(failure?.report ?? null).toBeNull();
      },
      600_000,
    );
  });
});
