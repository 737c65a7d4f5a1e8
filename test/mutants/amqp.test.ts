import type * as amqpDriver from 'signalbox/amqp';
import { test } from 'vitest';
import { amqpHarness } from '../conformance/amqp-harness.js';
import { timeFactor } from '../mysql/eventually.js';
import { describeServers } from '../servers/index.js';
import { amqpCases } from './amqp-cases.js';
import { amqpMutants } from './amqp-mutants.js';
import { proveOn } from './real-server.js';

await describeServers(['rabbitmq'], (name, server) => {
  if (!/^rabbitmq:4\b/.test(name)) {
    test.skip('on RabbitMQ 4 alone: 3.x drops nothing by itself, so that no delivery limit is missed there');
    return;
  }
  proveOn(server, {
    species: amqpMutants,
    sources: ['src/queue'],
    door: 'amqp/index.js',
    driverOf: (module) => (module as typeof amqpDriver).amqp,
    cases: amqpCases,
    harness: (make, url, version) => amqpHarness({ url, version, make, timeFactor: 2 * timeFactor }),
  });
});
