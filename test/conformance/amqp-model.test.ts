import { modelRun } from 'signalbox/conformance';
import { describe, expect, it } from 'vitest';
import { describeServers } from '../servers/index.js';
import { amqpHarness } from './amqp-harness.js';

const timeFactor = 2 * Number(process.env.SIGNALBOX_TEST_TIME_FACTOR ?? '1');

/** Sequences take seconds in real time: few per run, other ones every time. */
const runs = Number(process.env.SIGNALBOX_TEST_MODEL_RUNS ?? 6);

await describeServers(['rabbitmq'], (_, server) => {
  describe.each(['driver', 'queue'] as const)('the model of a %s', (layer) => {
    it(`finds nothing in ${runs} sequences`, async () => {
      const harness = amqpHarness({ url: await server().freshUrl(), version: server().version, timeFactor });

      const { failure } = await modelRun({ harness, layer, runs });

      expect(failure?.report ?? null).toBeNull();
    }, 600_000);
  });
});
