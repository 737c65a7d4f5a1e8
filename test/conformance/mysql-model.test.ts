import { modelRun } from 'signalbox/conformance';
import { describe, expect, it } from 'vitest';
import { describeServers } from '../servers/index.js';
import { mysqlHarness } from './mysql-harness.js';

const timeFactor = 2 * Number(process.env.SIGNALBOX_TEST_TIME_FACTOR ?? '1');

/** Sequences take seconds in real time: few per run, other ones every time. */
const runs = Number(process.env.SIGNALBOX_TEST_MODEL_RUNS ?? '15');

describe('the models, on MySQL and MariaDB', async () => {
  await describeServers(['mysql', 'mariadb'], (_, server) => {
    it.each(['driver', 'queue'] as const)(
      'find nothing, layer %s',
      async (layer) => {
        const { version } = server();
        // Kills at the queue's layer need a lease that can be waited for; receipts hold over cuts where leases do.
        const harness = mysqlHarness({
          url: await server().freshUrl(),
          version,
          timeFactor,
          leaseMs: 2_000,
          leasesOutliveCuts: true,
        });

        const { failure } = await modelRun({ harness, layer, runs });

        expect(failure?.report ?? null).toBeNull();
      },
      600_000,
    );
  });
});
