import { registerConformance } from 'signalbox/conformance';
import { afterAll, describe, test } from 'vitest';
import { familyOf, startServer, wantedServers } from '../servers/index.js';
import { amqpHarness } from './amqp-harness.js';

const timeFactor = 2 * Number(process.env.SIGNALBOX_TEST_TIME_FACTOR ?? '1');
const api = { test, concurrent: test.concurrent, skip: (name: string) => test.skip(name) };

const wanted = wantedServers(process.env).filter(({ name }) => familyOf(name) === 'rabbitmq');
/** Six minutes each: a run for everybody takes the newest, whoever works on the driver, whose issue is open, all. */
const here = process.env.SIGNALBOX_TEST_OPEN === undefined ? wanted.slice(-1) : wanted;

for (const { name } of wanted) {
  if (!here.some((one) => one.name === name)) {
    test.skip(`RabbitMQ: ${name}: takes six minutes more, run with SIGNALBOX_TEST_OPEN=1`);
    continue;
  }
  describe(`RabbitMQ: ${name}`, { timeout: 120_000 }, async () => {
    const server = await startServer(name);
    afterAll(() => server.stop());
    const { version, control } = server;
    const restart = control === null ? undefined : () => control.restart();
    await registerConformance(api, amqpHarness({ url: await server.freshUrl(), version, restart, timeFactor }));
  });
}
