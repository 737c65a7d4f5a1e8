import { registerConformance } from 'signalbox/conformance';
import { afterAll, describe, test } from 'vitest';
import { familyOf, startServer, wantedServers } from '../servers/index.js';
import { amqpHarness } from './amqp-harness.js';

const timeFactor = 2 * Number(process.env.SIGNALBOX_TEST_TIME_FACTOR ?? '1');
const api = { test, concurrent: test.concurrent, skip: (name: string) => test.skip(name) };

for (const { name } of wantedServers(process.env)) {
  if (familyOf(name) !== 'rabbitmq') continue;
  describe(`RabbitMQ: ${name}`, { timeout: 120_000 }, async () => {
    const server = await startServer(name);
    afterAll(() => server.stop());
    const { version, control } = server;
    const restart = control === null ? undefined : () => control.restart();
    await registerConformance(api, amqpHarness({ url: await server.freshUrl(), version, restart, timeFactor }));
  });
}
