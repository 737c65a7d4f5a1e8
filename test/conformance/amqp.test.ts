import { registerConformance } from 'signalbox/conformance';
import { afterAll, describe, test } from 'vitest';
import { familyOf, startServer, wantedServers } from '../servers/index.js';
import { amqpHarness } from './amqp-harness.js';

const timeFactor = 2 * Number(process.env.SIGNALBOX_TEST_TIME_FACTOR ?? '1');
const api = { test, concurrent: test.concurrent, skip: (name: string) => test.skip(name) };

const wanted = wantedServers(process.env).filter(({ name }) => familyOf(name) === 'rabbitmq');
/**
 * The RabbitMQ driver's issue is open: on RabbitMQ 4.3 in a fresh clone one case of 331 was red (N2, 256 held at once), and it takes six
 * minutes a broker. Run by whoever works on it, with SIGNALBOX_TEST_OPEN=1; else reported as skipped, by name.
 */
const isRun = process.env.SIGNALBOX_TEST_OPEN !== undefined;

for (const { name } of wanted) {
  if (!isRun) {
    test.skip(`RabbitMQ: ${name}: the driver's issue is open, run with SIGNALBOX_TEST_OPEN=1`);
    continue;
  }
  describe(`RabbitMQ: ${name}`, { timeout: 120_000 }, async () => {
    const server = await startServer(name);
    afterAll(() => server.stop());
    const { version, control } = server;
    const restart = control === null ? undefined : () => control.restart();
    // Quorum queues, and the classic ones that may be asked for: with them, redeliveries are not counted.
    for (const queueType of ['quorum', 'classic'] as const) {
      const url = await server.freshUrl();
      describe(`${queueType} queues`, () =>
        registerConformance(api, amqpHarness({ url, version, restart, timeFactor, options: { queueType } })));
    }
  });
}
