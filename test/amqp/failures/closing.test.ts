// A broker that does not answer holds up nobody's end.
import { expect, test, vi } from 'vitest';
import { describeServers } from '../../servers/index.js';
import { type TcpProxy, tcpProxy } from '../../servers/tcp-proxy.js';
import { soon, timeFactor } from './eventually.js';
import { Gate, jobTopic, openProcess } from './jobs.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

await describeServers(['rabbitmq'], (_, server) => {
  const troubles: Readonly<Record<string, (proxy: TcpProxy) => void | Promise<void>>> = {
    'answers nothing': (proxy) => proxy.pause('fromServer'),
    'is gone and nobody says so': (proxy) => proxy.halfOpen(),
    'refuses connections': async (proxy) => {
      await proxy.refuse();
      proxy.cut();
    },
  };

  test.concurrent.each(Object.entries(troubles))(
    'closing ends soon after its deadline when the broker %s, with publishes and handlers under way',
    async (_what, trouble) => {
      const topic = jobTopic();
      // A vhost of its own: one that is frozen while it declares keeps the lock of its vhost's catalogue.
      await using proxy = await tcpProxy(await server().freshUrl());
      await using queue = await openProcess(topic, proxy.url());
      const [started, gate] = [new Gate(), new Gate()];
      await queue.consume(topic, async () => {
        started.open();
        await gate.opened;
      });
      await queue.publish(topic, { n: 0 });
      await started.opened;
      await trouble(proxy);
      const publishing = [1, 2].map((n) =>
        queue.publishAfter(topic, { n }, n === 1 ? 0 : 1_234).then(
          () => 'published',
          (error: unknown) => error,
        ),
      );

      const beginsAt = performance.now();
      await soon('it is closed', queue.close({ deadlineMs: 1_000 }), 120_000);
      const tookMs = performance.now() - beginsAt;

      expect(await Promise.all(publishing)).toEqual([
        expect.objectContaining({ code: expect.stringMatching(/closed|unavailable|timeout/) }),
        expect.objectContaining({ code: expect.stringMatching(/closed|unavailable|timeout/) }),
      ]);
      gate.open();
      // docs/amqp.md: 17 s after the deadline at the latest.
      expect(tookMs).toBeLessThan(18_000 * timeFactor);
    },
  );
});
