import { defineTopic, openQueue } from 'signalbox';
import { amqp } from 'signalbox/amqp';
import { expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { eventually } from '../amqp/connection/eventually.js';
import { plainProgram } from '../amqp/foreign/plain-program.js';
import { describeServers } from '../servers/index.js';
import { populated } from './populated.js';
import { cli, newUrl } from './world.js';

const schema = z.object({ n: z.number() });

test('a backend without objects prints topics, groups and patterns, and refuses to check what it cannot see', async () => {
  const url = await populated(1);

  const { code, stdout } = await cli(['topology', '--queue', url]);
  const { world } = await cli(['topology', '--json', '--queue', url]);
  const check = await cli(['topology', '--check', '--queue', url]);

  expect(code).toBe(0);
  expect(stdout).toMatch(/images +none +audit +eu\.#/);
  expect(world.json).toMatchObject({ backend: 'memory', objects: null, topics: [{ name: 'images' }] });
  expect([check.code, check.stderr]).toEqual([5, expect.stringMatching(/memory does not tell who consumes/)]);
  expect((await cli(['topology', '--queue', newUrl()])).stderr).toMatch(/^no topics/);
});

// Topologies of several groups, each durable 1.5 s after it was declared, on a machine that others may share.
vi.setConfig({ testTimeout: 60_000 });

await describeServers(['rabbitmq'], (_, server) => {
  test('prints every exchange and queue with type, arguments and bindings, ours and those that were mapped, unconfigured', async () => {
    const url = await server().freshUrl();
    const queue = await openQueue(
      amqp({
        url,
        topics: {
          jobs: {
            exchange: { name: 'solstice.jobs', type: 'direct' },
            routingKey: 'jobrequest.v1',
            groups: {
              default: { queue: 'jobs.v1', deadLetters: { exchange: 'dlx', queue: 'dlq', expireAfterMs: 60_000 } },
            },
          },
        },
      }),
      { topics: [defineTopic('jobs', { schema }), defineTopic('lines', { schema, ordering: 'key', lanes: 2 })] },
    );
    onTestFinished(() => queue.close());

    const { world, code } = await cli(['topology', '--json', '--queue', url]);

    expect(code).toBe(0);
    const { objects } = world.json as { objects: { kind: string; name: string }[] };
    const named = (name: string) => objects.find((object) => object.name === name);
    expect(named('solstice.jobs')).toMatchObject({ kind: 'exchange', type: 'direct', exists: true, consumers: null });
    expect(named('jobs.v1')).toMatchObject({
      ...{ kind: 'queue', type: 'classic', purpose: 'group "default" of topic "jobs"', exists: true },
      arguments: { 'x-dead-letter-exchange': 'dlx' },
      bindings: [{ exchange: 'solstice.jobs', routingKey: 'jobrequest.v1', arguments: {} }],
      ...{ ready: 0, consumers: 0, needsConsumer: true },
    });
    expect(named('dlq')).toMatchObject({ arguments: { 'x-message-ttl': 60_000 }, bindings: [{ exchange: 'dlx' }] });
    expect(named('signalbox.q.lines.default.1of2')).toMatchObject({
      type: 'quorum',
      arguments: { 'x-single-active-consumer': true },
      bindings: [{ exchange: 'signalbox.to.lines.1of2', routingKey: '#' }],
    });
    expect(named('signalbox.delay.200')).toMatchObject({ arguments: { 'x-message-ttl': 200 }, exists: true });
    const { stdout } = await cli(['topology', '--queue', url]);
    expect(stdout).toMatch(
      /queue jobs\.v1 +classic +group "default" of topic "jobs" +x-dead-letter-exchange="dlx" +solstice\.jobs "jobrequest\.v1" +0 +0\n/,
    );
    expect(stdout).toMatch(/lines +by key, 2 lanes +default +#/);
  });

  test('--check tells by its exit code that a queue is missing, that nobody consumes, or that all is well', async () => {
    const url = await server().freshUrl();
    expect((await cli(['topology', '--check', '--queue', url])).code).toBe(3);
    const topic = defineTopic('jobs', { schema });
    const queue = await openQueue(url, { topics: [topic] });
    onTestFinished(() => queue.close());

    const idle = await cli(['topology', '--check', '--queue', url]);
    expect([idle.code, idle.stdout]).toEqual([
      1,
      expect.stringContaining('nobody consumes: queue "signalbox.q.jobs.default" (group "default" of topic "jobs")'),
    ]);
    await queue.consume(topic, async () => {});
    await eventually('all is well', async () => (await cli(['topology', '--check', '--queue', url])).code === 0);
    const { apart } = await plainProgram(url);
    await apart((channel) => channel.deleteQueue('signalbox.dead.jobs.default'));

    const broken = await cli(['topology', '--check', '--json', '--queue', url]);
    expect(broken.code).toBe(3);
    expect(broken.world.json).toMatchObject({
      missing: ['queue "signalbox.dead.jobs.default" (group "default" of topic "jobs")'],
      notConsumed: [],
    });
  });
});
