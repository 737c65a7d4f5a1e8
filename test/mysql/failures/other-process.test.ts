import { expect, test } from 'vitest';
import { describeServers } from '../../servers/index.js';
import { eventually } from '../eventually.js';
import { jobTopic, openProcess } from './jobs.js';
import { OtherProcess } from './other-process.js';
import { RawConnection } from './raw-connection.js';

/** What the issue promises where the server sees that a connection is gone. */
const takenOverWithinMs = 2_000;

await describeServers(['mariadb', 'mysql'], (_, server) => {
  test.concurrent.each(['none', 'key'] as const)(
    'what a process that was killed had in hand (ordering: %s), and its keys, are with others within 2 s, far from the end of the lease',
    async (ordering) => {
      const url = await server().freshUrl();
      const topic = jobTopic({ ordering });
      await using queue = await openProcess(topic, { url, leaseMs: 600_000 });
      await using raw = await RawConnection.open(url);
      const task = { url, topic: topic.name, ordering, leaseMs: 600_000, clockOffsetMs: 0, publish: [], holds: true };
      await using doomed = new OtherProcess(task);
      await eventually('it is ready', () => doomed.said.includes('ready'), 20_000);
      for (let n = 0; n < 5; n++) await queue.publish(topic, { n }, { key: `k${n}` });
      await eventually('it has all in hand', () => doomed.said.filter((what) => typeof what === 'number').length === 5);
      for (let n = 0; n < 5; n++) await queue.publish(topic, { n: 10 + n }, { key: `k${n}` });
      const received: { n: number; redeliveries: number }[] = [];

      await doomed.kill9();
      const killedAt = performance.now();
      await queue.consume(topic, ({ message: { body }, redeliveries }) => received.push({ n: body.n, redeliveries }));

      await eventually('all are here', () => received.length === 10, takenOverWithinMs);
      expect(performance.now() - killedAt).toBeLessThan(takenOverWithinMs + 500);
      expect(received.filter(({ n }) => n < 5).every(({ redeliveries }) => redeliveries === 1)).toBe(true);
      if (ordering === 'key') {
        const order = received.map(({ n }) => n);
        for (let n = 0; n < 5; n++) expect(order.indexOf(n)).toBeLessThan(order.indexOf(10 + n));
      }
      await eventually('nothing is left', async () => (await raw.messages()) === 0);
      await eventually(
        'nor of the process',
        async () => Number(await raw.value('select count(*) from signalbox_holders')) === 1,
      );
    },
    60_000,
  );

  test.concurrent.each([300_000, -300_000])(
    'a process whose time of day is %d ms off publishes and delays like any other',
    async (clockOffsetMs) => {
      const url = await server().freshUrl();
      const topic = jobTopic();
      await using queue = await openProcess(topic, { url, leaseMs: 2_000 });
      const arrivals = new Map<number, number>();
      await queue.consume(topic, ({ message: { body } }) => arrivals.set(body.n, performance.now()));
      const startedAt = performance.now();
      const publish = [
        { n: 1, delayMs: 700 },
        { n: 2, delayMs: 0 },
      ];
      const task = { url, topic: topic.name, ordering: 'none' as const, leaseMs: 2_000, clockOffsetMs, publish };
      await using wrong = new OtherProcess({ ...task, holds: false });
      await eventually('it has published', () => wrong.said.includes('published'), 20_000);
      const publishedAt = performance.now();

      await eventually('both arrive', () => arrivals.size === 2, 3_000);
      expect((arrivals.get(1) ?? 0) - startedAt).toBeGreaterThanOrEqual(700);
      expect((arrivals.get(1) ?? 0) - publishedAt).toBeLessThan(2_500);
    },
    60_000,
  );
});
