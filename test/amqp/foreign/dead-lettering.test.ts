// What another program nacks is in the mapped dead-letter queue, whatever the type of the exchange that leads there.
import { defineTopic, openQueue } from 'signalbox';
import { type AmqpOptions, amqp } from 'signalbox/amqp';
import { expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { describeServers } from '../../servers/index.js';
import { eventually } from '../connection/eventually.js';
import { plainProgram } from './plain-program.js';

/** By topic: its exchange, and the one that its dead letters go through. */
const types = {
  'direct-direct': ['direct', 'direct'],
  'topic-topic': ['topic', 'topic'],
  'fanout-headers': ['fanout', 'headers'],
  'alone-direct': [null, 'direct'],
} as const;

const mapping: NonNullable<AmqpOptions['topics']> = Object.fromEntries(
  Object.entries(types).map(([name, [type, deadType]]) => [
    name,
    {
      exchange: type === null ? null : { name, type },
      routingKey: 'build.asked',
      groups: {
        default: {
          queue: `${name}.queue`,
          deadLetters: { queue: `${name}.dead`, exchange: { name: `${name}.dlx`, type: deadType } },
        },
      },
    },
  ]),
);

vi.setConfig({ testTimeout: 60_000 });

await describeServers(['rabbitmq'], (_, server) => {
  test('what another program nacks is a dead letter, by whatever exchange it came and is led away', async () => {
    const url = await server().freshUrl();
    const topics = Object.keys(types).map((name) => defineTopic(name, { schema: z.object({ n: z.number() }) }));
    const queue = await openQueue(amqp({ url, topics: mapping }), { topics });
    onTestFinished(() => queue.close({ deadlineMs: 0 }));
    const program = await plainProgram(url);

    for (const topic of topics) {
      await queue.publish(topic, { n: 1 });
      // As a retry comes: past the exchange.
      await program.publish('', `${topic.name}.queue`, { n: 2 });
      await program.apart(async (channel) => {
        for (let n = 0; n < 2; n++) {
          const message = await eventually('a message', () => channel.get(`${topic.name}.queue`));
          channel.nack(message, false, false);
        }
      });
    }

    for (const topic of topics) {
      await eventually(`both of ${topic.name}`, async () => (await queue.admin.deadLetters(topic).count()) === 2);
    }
    expect(await program.ready('direct-direct.queue')).toBe(0);
  });
});
