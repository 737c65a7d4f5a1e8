import { randomBytes } from 'node:crypto';
import { defineTopic, type Logger, openQueue, type Queue, type Topic } from 'signalbox';
import { type AmqpOptions, amqp, type MappedQueue } from 'signalbox/amqp';
import { expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { describeServers, type Server } from '../../servers/index.js';
import { eventually } from '../connection/eventually.js';
import { jsonOf, plainProgram } from './plain-program.js';

const dayMs = 24 * 60 * 60 * 1_000;

/** One dead-letter exchange for all, a dead-letter queue each, whose messages expire after a day. */
const withDeadLetters = (queue: string, more: Partial<MappedQueue> = {}): MappedQueue => ({
  queue,
  deadLetters: { exchange: 'attune.dlx', queue: `${queue}.dlq`, expireAfterMs: dayMs },
  ...more,
});
const attune: NonNullable<AmqpOptions['topics']> = {
  events: {
    exchange: { name: 'attune.events', type: 'topic' },
    groups: { default: withDeadLetters('attune.events.queue') },
  },
  executions: {
    exchange: { name: 'attune.executions', type: 'direct' },
    routingKey: 'execution',
    groups: { default: withDeadLetters('attune.executions.queue') },
  },
  notifications: {
    exchange: { name: 'attune.notifications', type: 'fanout' },
    groups: { default: withDeadLetters('attune.notifications.queue') },
  },
};

const schema = z.object({ n: z.number() });
const events = defineTopic('events', { schema });
const executions = defineTopic('executions', { schema });
const notifications = defineTopic('notifications', { schema });

interface Logged {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

interface OpenedOptions {
  readonly topics?: readonly Topic[];
  readonly setup?: 'assert' | 'check' | 'none';
  readonly mapping?: AmqpOptions['topics'];
  readonly name?: string;
}

async function opened(url: string, options: OpenedOptions = {}): Promise<{ queue: Queue; logged: readonly Logged[] }> {
  const { topics = [events, executions, notifications], setup = 'assert', mapping = attune, name = 'attune' } = options;
  const logged: Logged[] = [];
  const write = (fields: object, message: string): void => void logged.push({ fields: { ...fields }, message });
  const logger: Logger = { info: write, warn: write };
  const queue = await openQueue(amqp({ url, topics: mapping ?? {} }), { topics, setup, logger, name });
  onTestFinished(() => queue.close({ deadlineMs: 0 }));
  return { queue, logged };
}

/** A user of the broker with these rights on the vhost of a URL; the URL with that user. */
async function userWith(
  server: Server,
  url: string,
  rights: readonly [string, string, string],
): Promise<string | null> {
  if (server.rabbitmqctl === null) return null;
  const restricted = new URL(url);
  const name = `user-${randomBytes(4).toString('hex')}`;
  await server.rabbitmqctl('add_user', name, 's3cret-word');
  await server.rabbitmqctl('set_permissions', '-p', decodeURIComponent(restricted.pathname.slice(1)), name, ...rights);
  restricted.username = name;
  restricted.password = 's3cret-word';
  return restricted.href;
}

// Topologies of several groups, each durable 1.5 s after it was declared, on a machine that others may share.
vi.setConfig({ testTimeout: 60_000 });

await describeServers(['rabbitmq'], (_, server) => {
  test('a service sets up everything at start, again and by several at once, and a plain client publishes and reads there', async () => {
    const url = await server().freshUrl();
    const services = await Promise.all([opened(url), opened(url), opened(url)]);
    const [{ queue, logged }] = services;
    const program = await plainProgram(url);

    // As its services declare it themselves: the same, or the broker would refuse.
    const { channel } = program;
    await channel.assertExchange('attune.dlx', 'fanout', { durable: true });
    for (const name of ['events', 'executions', 'notifications']) {
      await channel.assertQueue(`attune.${name}.queue`, { durable: true, deadLetterExchange: 'attune.dlx' });
      await channel.assertQueue(`attune.${name}.queue.dlq`, { durable: true, messageTtl: dayMs });
    }
    await queue.publish(executions, { n: 1 });
    await queue.publish(events, { n: 2 }, { routingKey: 'core.timer' });
    await queue.publish(notifications, { n: 3 });
    expect(jsonOf(await program.next('attune.executions.queue'))).toEqual({ n: 1 });
    expect(jsonOf(await program.next('attune.events.queue'))).toEqual({ n: 2 });
    expect(jsonOf(await program.next('attune.notifications.queue'))).toEqual({ n: 3 });
    expect(await queue.setup()).toMatchObject({ created: [], changed: [] });
    const declared = logged.find(({ message }) => message === 'exchanges and queues are as declared');
    expect(declared?.fields.declared).toContainEqual({
      topic: 'executions',
      exchanges: ['attune.executions'],
      queues: ['attune.executions.queue', 'attune.executions.queue.dlq'],
    });
  });

  test('components with tags of their own compete for one queue, and their tags are in the log', async () => {
    const url = await server().freshUrl();
    const { queue, logged } = await opened(url, { name: 'executor' });
    const program = await plainProgram(url);
    const names = ['enforcement', 'scheduler', 'manager'];
    const served: number[] = [];
    for (const name of names) {
      await queue.consume(executions, async ({ message }) => void served.push(message.body.n), { name });
    }

    for (let n = 0; n < 30; n++) await program.publish('attune.executions', 'execution', { n });

    await eventually('all are served once', () => served.length >= 30);
    expect(new Set(served).size).toBe(30);
    const tags = logged.filter(({ message }) => message === 'consumes').map(({ fields }) => String(fields.consumerTag));
    expect(new Set(tags).size).toBe(3);
    for (const [n, name] of names.entries()) expect(tags[n]).toMatch(new RegExp(`^executor\\..*\\.${name}\\.\\d+$`));
    const shown = await server().rabbitmqctl?.(
      'list_consumers',
      '-q',
      '-p',
      decodeURIComponent(new URL(url).pathname.slice(1)),
      'consumer_tag',
    );
    for (const tag of tags) expect(shown ?? tag).toContain(tag);
  });

  test('a dead letter is in the queue of its own topic alone, though one exchange leads to all, and expires there', async () => {
    const url = await server().freshUrl();
    const mapping = {
      ...attune,
      events: {
        ...attune.events,
        groups: {
          default: {
            ...withDeadLetters('attune.events.queue'),
            deadLetters: { exchange: 'attune.dlx', queue: 'attune.events.queue.dlq', expireAfterMs: 8_000 },
          },
        },
      },
    };
    const { queue } = await opened(url, { mapping: mapping as NonNullable<AmqpOptions['topics']> });
    const program = await plainProgram(url);
    await queue.consume(events, (delivery) => delivery.reject('not ours'));

    await program.publish('attune.events', 'core.timer', { n: 1 });

    await eventually('a letter', async () => (await queue.admin.deadLetters(events).count()) === 1);
    expect(await program.ready('attune.executions.queue.dlq')).toBe(0);
    await eventually('it has expired', async () => (await queue.admin.deadLetters(events).count()) === 0, 20_000);
  });

  test('a user without the right to configure checks instead, says so, and publishes, delays, retries and consumes', async ({
    skip,
  }) => {
    const url = await server().freshUrl();
    await opened(url); // by whoever manages the broker
    const restricted = await userWith(server(), url, [
      '^$',
      '^(attune\\.|signalbox\\.|amq\\.default)',
      '^(attune\\.|signalbox\\.)',
    ]);
    if (restricted === null) return skip('no user can be made on a given server');
    const { queue, logged } = await opened(restricted);
    const program = await plainProgram(url);
    const seen: string[] = [];

    await queue.consume(executions, async (delivery) => {
      const { attempt, message } = delivery;
      seen.push(`${message.body.n} ${attempt}`);
      if (message.body.n === 2 && attempt === 1) await delivery.nack(150);
    });
    await queue.publish(executions, { n: 1 });
    await queue.publishAfter(executions, { n: 3 }, 777);
    await program.publish('attune.executions', 'execution', { n: 2 });

    await eventually('all of them', () => seen.length === 4);
    expect(seen.sort()).toEqual(['1 1', '2 1', '2 2', '3 1']);
    expect(logged.some(({ message }) => /may not declare/.test(message))).toBe(true);
    expect(await queue.setup({ mode: 'check' })).toMatchObject({ created: [], changed: [] });
    await expect(queue.admin.addGroup(events, 'more')).rejects.toMatchObject({
      code: expect.stringMatching(/denied|invalid/),
    });
    expect(JSON.stringify(logged)).not.toContain('s3cret-word');
  });

  test('a user without the right to configure is told what is missing', async ({ skip }) => {
    const url = await server().freshUrl();
    const restricted = await userWith(server(), url, ['^$', '.*', '.*']);
    if (restricted === null) return skip('no user can be made on a given server');

    await expect(opened(restricted)).rejects.toMatchObject({
      code: 'denied',
      message: expect.stringMatching(/there is no topic "events".*may not declare anything.*signalbox\./),
    });
    await expect(opened(restricted, { setup: 'check' })).rejects.toMatchObject({ code: 'not-found' });
  });

  test('a user who may declare ours but not theirs uses theirs, or is told which one is missing', async ({ skip }) => {
    const url = await server().freshUrl();
    const restricted = await userWith(server(), url, [
      '^signalbox\\.',
      '^(attune\\.|signalbox\\.|amq\\.default)',
      '.*',
    ]);
    if (restricted === null) return skip('no user can be made on a given server');
    await expect(opened(restricted)).rejects.toMatchObject({
      code: 'denied',
      message: expect.stringContaining('exchange "attune.events"'),
    });
    const { channel } = await plainProgram(url);
    await channel.assertExchange('attune.dlx', 'fanout', { durable: true });
    for (const [name, type] of [
      ['events', 'topic'],
      ['executions', 'direct'],
      ['notifications', 'fanout'],
    ] as const) {
      await channel.assertExchange(`attune.${name}`, type, { durable: true });
      await channel.assertQueue(`attune.${name}.queue`, { durable: true, deadLetterExchange: 'attune.dlx' });
      await channel.assertQueue(`attune.${name}.queue.dlq`, { durable: true, messageTtl: dayMs });
      await channel.bindQueue(`attune.${name}.queue`, `attune.${name}`, name === 'executions' ? 'execution' : '#');
    }

    const { queue, logged } = await opened(restricted);

    const served = new Promise<number>((resolve) => {
      void queue.consume(executions, async ({ message }) => resolve(message.body.n));
    });
    await queue.publish(executions, { n: 7 });
    expect(await served).toBe(7);
    expect(logged.some(({ fields }) => String(fields.notDeclared).includes('queue "attune.events.queue"'))).toBe(true);
  });

  test('another mapping of a topic that exists is refused, and changes nothing; patterns change when asked', async () => {
    const url = await server().freshUrl();
    const { queue } = await opened(url);
    await expect(opened(url, { mapping: {} })).rejects.toMatchObject({
      code: 'topology-mismatch',
      message: expect.stringMatching(/topic "events" exists with mapping .*attune\.events.*, asked for null/),
    });
    await expect(
      opened(url, {
        mapping: { ...attune, executions: { ...attune.executions, exchange: 'other', groups: { default: 'q' } } },
      }),
    ).rejects.toMatchObject({
      code: 'topology-mismatch',
      message: expect.stringMatching(
        /topic "executions" exists with exchange .*attune\.executions.*, asked for .*other/,
      ),
    });
    const narrow = defineTopic('events', { schema, groups: { default: { patterns: ['core.*'] } } });
    await expect(opened(url, { topics: [narrow] })).rejects.toMatchObject({ code: 'topology-mismatch' });
    const { queue: changer } = await opened(url, { topics: [narrow], setup: 'none' });

    await changer.setup({ change: true });

    await queue.publish(events, { n: 1 }, { routingKey: 'core.timer' });
    await expect(queue.publish(events, { n: 2 }, { routingKey: 'git.push' })).rejects.toMatchObject({
      code: 'unroutable',
    });
  });

  test('what a mapping cannot do is refused before anything is declared', async () => {
    const url = await server().freshUrl();
    const program = await plainProgram(url);
    const refused = async (topic: Topic, mapping: NonNullable<AmqpOptions['topics']>, code: string, says: RegExp) =>
      expect(opened(url, { topics: [topic], mapping })).rejects.toMatchObject({
        code,
        message: expect.stringMatching(says),
      });

    await refused(defineTopic('events', { schema, ordering: 'key' }), attune, 'unsupported', /ordered by key/);
    await refused(
      defineTopic('notifications', { schema, groups: { default: { patterns: ['a'] } } }),
      ...([attune, 'unsupported', /the fanout exchange "attune\.notifications" cannot select/] as const),
    );
    await refused(
      defineTopic('executions', { schema, groups: { default: { patterns: ['a.*'] } } }),
      ...([attune, 'unsupported', /the direct exchange "attune\.executions" cannot select/] as const),
    );
    await refused(
      defineTopic('events', { schema, groups: { a: {} } }),
      attune,
      'invalid',
      /group "a" .* mapped onto no queue/,
    );
    await refused(
      defineTopic('events', { schema, groups: { a: {}, b: {} } }),
      { events: { exchange: 'attune.events', groups: { '*': 'one' } } },
      ...(['unsupported', /queue "one", which has the messages of group "a"/] as const),
    );
    await expect(
      opened(url, {
        mapping: {
          ...attune,
          notifications: { exchange: 'attune.other', groups: { default: 'attune.events.queue.dlq' } },
        },
      }),
    ).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(
        /messages .* topic "notifications" .*queue\.dlq", which has the dead letters .* topic "events"/,
      ),
    });

    await expect(program.apart((channel) => channel.checkExchange('attune.events'))).rejects.toThrow(/NOT_FOUND/);
  });
});
