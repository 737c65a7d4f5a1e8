// Users who may do no more than the documentation says they need.
import { beforeAll, expect, test, vi } from 'vitest';
import { describeServers } from '../../servers/index.js';
import { BrokerSide } from './broker-side.js';
import { eventually } from './eventually.js';
import { jobTopic, openProcess } from './jobs.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

/** `docs/amqp.md`, Rights. */
const rights = {
  declaring: [String.raw`^(signalbox\.|amq\.gen)`, String.raw`^(signalbox\.|amq\.default$)`, String.raw`^signalbox\.`],
  'only using': ['^$', String.raw`^(signalbox\.|amq\.default$)`, String.raw`^signalbox\.`],
} as const;

await describeServers(['rabbitmq'], (_, server) => {
  let url: string;
  beforeAll(async () => {
    url = await server().freshUrl();
  });

  test.each(Object.entries(rights))(
    'a user with the rights of a program %s: retries, postponed messages, dead letters and outboxes, and no channel is lost',
    async (_what, [configure, write, read]) => {
      const [topic, next] = [jobTopic({ maxAttempts: 2 }), jobTopic()];
      await using broker = new BrokerSide(server(), url);
      const user = `user-${topic.name}`;
      await broker.ctl('add_user', user, 's3cret');
      await broker.ctl('set_permissions', '-p', '{vhost}', user, configure, write, read);
      const theirs = new URL(url);
      [theirs.username, theirs.password] = [user, 's3cret'];
      await using owner = await openProcess([topic, next], url);
      const warnings: string[] = [];
      const logger = { info: () => {}, warn: (_fields: object, text: string) => void warnings.push(text) };
      await using queue = await openProcess([topic, next], theirs.href, { logger });
      const [runs, lost] = [new Map<number, number>(), [] as unknown[]];
      queue.events.on('lease-lost', (event) => lost.push(event));
      await queue.consume(
        topic,
        async (delivery) => {
          const { n } = delivery.message.body;
          const run = (runs.get(n) ?? 0) + 1;
          runs.set(n, run);
          if (n % 4 === 0 && run === 1) return delivery.postpone(100);
          if (n % 4 === 1 && run === 1) return delivery.nack(0);
          if (n % 4 === 2) return delivery.reject('for the test');
          await delivery.outbox.publish(next, { n });
        },
        { concurrency: 16 },
      );
      const passed = new Set<number>();
      await owner.consume(next, ({ message }) => passed.add(message.body.n));
      await queue.publishBatch(
        topic,
        Array.from({ length: 80 }, (__, n) => ({ body: { n } })),
      );

      await eventually('all have gone on', () => passed.size === 60);
      const letters = owner.admin.deadLetters(topic);
      await eventually('the others are dead', async () => (await letters.count()) === 20);
      expect([...runs].filter(([n, count]) => count !== (n % 4 < 2 ? 2 : 1))).toEqual([]);
      expect(lost).toEqual([]);
      expect(warnings.filter((text) => text.includes('was lost'))).toEqual([]);
    },
  );
});
