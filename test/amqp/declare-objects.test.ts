import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { declareObjects } from '../../src/queue/amqp/declare-objects.js';
import { exchangeSpec } from '../../src/queue/amqp/object-spec.js';
import { describeServers, tcpProxy } from '../servers/index.js';
import { testLink } from './connection/test-link.js';

await describeServers(['rabbitmq'], (_, server) => {
  test('however much is declared, a broker that answers each in time is waited for', async () => {
    const proxy = await tcpProxy(server().url);
    const { link } = await testLink(proxy.url(), { callDeadlineMs: 1_000 });
    const specs = Array.from({ length: 60 }, () => exchangeSpec(`declared.${randomUUID()}`, 'fanout'));
    proxy.slow({ latencyMs: 20 });

    await expect(
      declareObjects(link, 'sixty exchanges', specs, { info: () => {}, warn: () => {} }),
    ).resolves.toBeUndefined();

    proxy.resume();
    await link.withChannel('look for them, and clear away', async (channel) => {
      for (const { name } of specs) {
        await channel.checkExchange(name);
        await channel.deleteExchange(name);
      }
    });
    await proxy.close();
  });
});
