import { registerConformance } from 'signalbox/conformance';
import { afterAll, describe, test } from 'vitest';
import { familyOf, startServer, wantedServers } from '../servers/index.js';
import { amqpHarness } from './amqp-harness.js';

type QueueType = 'quorum' | 'classic';

const timeFactor = 2 * Number(process.env.SIGNALBOX_TEST_TIME_FACTOR ?? '1');
const api = { test, concurrent: test.concurrent, skip: (name: string) => test.skip(name) };

const isSlowRun = process.env.SIGNALBOX_TEST_SLOW !== undefined;

/**
 * The whole suite on the RabbitMQ servers whose names begin so: seven minutes for each version and type of queue, of which
 * those in `slow` are run with SIGNALBOX_TEST_SLOW=1, by hand and by the workflow, and else reported as skipped.
 */
export function amqpSuite(names: string, slow: readonly QueueType[]): void {
  const wanted = wantedServers(process.env).filter(
    ({ name }) => familyOf(name) === 'rabbitmq' && name.startsWith(names),
  );
  if (wanted.length === 0) test.skip(`${names}: not among the servers asked for`);
  const types = (['quorum', 'classic'] as const).filter((type) => isSlowRun || !slow.includes(type));
  for (const { name } of wanted) {
    for (const type of slow) if (!isSlowRun) test.skip(`${name}, ${type} queues: run with SIGNALBOX_TEST_SLOW=1`);
    if (types.length === 0) continue;
    describe(`RabbitMQ: ${name}`, { timeout: 120_000 }, async () => {
      const server = await startServer(name);
      afterAll(() => server.stop());
      const { version, control } = server;
      const restart = control === null ? undefined : () => control.restart();
      for (const queueType of types) {
        const url = await server.freshUrl();
        describe(`${queueType} queues`, () =>
          registerConformance(api, amqpHarness({ url, version, restart, timeFactor, options: { queueType } })));
      }
    });
  }
}
