import { randomUUID } from 'node:crypto';
import { openQueue, type Queue } from 'signalbox';
import { type AmqpOptions, amqp } from 'signalbox/amqp';
import { noopRunner } from 'signalbox/buildrunner';
import { createOrchestrator, memoryBuildStore, orchestratorTopics } from 'signalbox/orchestrator';
import { expect, onTestFinished, test, vi } from 'vitest';
import { describeServers } from '../../servers/index.js';
import { eventually } from '../connection/eventually.js';
import { jsonOf, type PlainProgram, plainProgram } from './plain-program.js';

/** As Solstice CI has it: one direct exchange, one queue with a dead-letter exchange, and its dead letters. */
const solstice: NonNullable<AmqpOptions['topics']> = {
  jobs: {
    exchange: { name: 'solstice.jobs', type: 'direct' },
    routingKey: 'jobrequest.v1',
    groups: {
      default: {
        queue: 'solstice.jobs.v1',
        deadLetters: { exchange: 'solstice.dlx', queue: 'solstice.jobs.v1.dlq' },
      },
    },
  },
};

/** The routine that its publishers and consumers call. */
async function declareAsSolstice({ channel }: PlainProgram): Promise<void> {
  await channel.assertExchange('solstice.jobs', 'direct', { durable: true });
  await channel.assertExchange('solstice.dlx', 'fanout', { durable: true });
  await channel.assertQueue('solstice.jobs.v1.dlq', { durable: true });
  await channel.bindQueue('solstice.jobs.v1.dlq', 'solstice.dlx', '');
  await channel.assertQueue('solstice.jobs.v1', {
    durable: true,
    arguments: { 'x-dead-letter-exchange': 'solstice.dlx' },
  });
  await channel.bindQueue('solstice.jobs.v1', 'solstice.jobs', 'jobrequest.v1');
}

function jobRequest(id: string = randomUUID()) {
  return {
    schema_version: 'jobrequest.v1' as const,
    request_id: id,
    source: 'forgejo',
    repo_url: 'https://git.example.org/tern/compass.git',
    commit_sha: 'c1aecb3',
    submitted_at: '2026-01-07T08:13:36Z',
    a_field_of_later: true,
  };
}

async function opened(url: string, topics = orchestratorTopics()): Promise<Queue> {
  const queue = await openQueue(amqp({ url, topics: solstice }), { topics: Object.values(topics) });
  onTestFinished(() => queue.close({ deadlineMs: 0 }));
  return queue;
}

// Topologies of several groups, each durable 1.5 s after it was declared, on a machine that others may share.
vi.setConfig({ testTimeout: 60_000 });

await describeServers(['rabbitmq'], (_, server) => {
  test('a plain JobRequest that Solstice publishes is built by our orchestrator, whoever declared first', async () => {
    const url = await server().freshUrl();
    const program = await plainProgram(url);
    await declareAsSolstice(program);
    const topics = orchestratorTopics();
    const queue = await opened(url, topics);
    const store = memoryBuildStore();
    const orchestrator = createOrchestrator({
      queue,
      topics,
      store,
      runner: noopRunner(),
      pollDelays: { acceptedMs: 50, runningMs: 50 },
    });
    await orchestrator.start();
    onTestFinished(() => orchestrator.close({ deadlineMs: 0 }));
    const request = jobRequest();

    await declareAsSolstice(program);
    await program.publish('solstice.jobs', 'jobrequest.v1', request, { deliveryMode: 2 });

    const build = await eventually('its build succeeds', async () => {
      const { builds } = await store.list({ limit: 10, cursor: null });
      return builds.find(({ status }) => status === 'succeeded');
    });
    expect(build.requestId).toBe(request.request_id);
    await eventually('its queue is empty', async () => (await program.ready('solstice.jobs.v1')) === 0);
  });

  test('what we publish is a plain JobRequest to a foreign consumer of its queue', async () => {
    const url = await server().freshUrl();
    const topics = orchestratorTopics();
    const queue = await opened(url, topics);
    const program = await plainProgram(url);
    const request = { ...jobRequest(), source: 'manual' as const };

    await queue.publish(topics.jobs, request);

    const message = await program.next('solstice.jobs.v1');
    expect(jsonOf(message)).toEqual(request);
    expect(message.fields).toMatchObject({ exchange: 'solstice.jobs', routingKey: 'jobrequest.v1' });
    expect(message.properties).toMatchObject({ contentType: 'application/json', deliveryMode: 2 });
  });

  test('what was delayed reaches the exchange when it falls due, and no foreign consumer before', async () => {
    const url = await server().freshUrl();
    const topics = orchestratorTopics();
    const queue = await opened(url, topics);
    const program = await plainProgram(url);
    const request = { ...jobRequest(), source: 'manual' as const };
    const sentAt = performance.now();

    await queue.publishAfter(topics.jobs, request, 700);

    expect(jsonOf(await program.next('solstice.jobs.v1'))).toEqual(request);
    expect(performance.now() - sentAt).toBeGreaterThanOrEqual(700);
  });

  test('a foreign message without id or headers is postponed and tried again under one id, and its letter is in the mapped queue', async () => {
    const url = await server().freshUrl();
    const topics = orchestratorTopics();
    const queue = await opened(url, topics);
    const program = await plainProgram(url);
    const request = jobRequest();
    const seen: { id: string; attempt: number; postpones: number; routingKey: string | null }[] = [];
    await queue.consume(topics.jobs, async (delivery) => {
      const { attempt, postpones, message } = delivery;
      seen.push({ id: message.id, attempt, postpones, routingKey: message.routingKey });
      if (postpones === 0) await delivery.postpone(150);
      else if (attempt < 3) await delivery.nack(attempt === 1 ? 0 : 120, 'not yet');
      else await delivery.reject('no such runner');
    });

    await program.publish('solstice.jobs', 'jobrequest.v1', request, { headers: { trace: 'abc' } });
    const letter = await eventually(
      'a letter',
      async () => (await queue.admin.deadLetters(topics.jobs).list()).letters[0],
    );

    expect(seen.map(({ attempt, postpones }) => [attempt, postpones])).toEqual([
      [1, 0],
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
    expect(new Set(seen.map(({ id }) => id)).size).toBe(1);
    expect(new Set(seen.map(({ routingKey }) => routingKey))).toEqual(new Set(['jobrequest.v1']));
    expect(seen[0]?.id).toMatch(/^foreign-[0-9a-f]{32}$/);
    expect(letter).toMatchObject({
      id: seen[0]?.id,
      death: { cause: 'rejected', reason: 'no such runner', attempt: 3 },
    });
    // A foreign reader finds it there, as it was.
    const buried = await program.next('solstice.jobs.v1.dlq');
    expect(jsonOf(buried)).toEqual(request);
    expect(buried.properties.headers).toMatchObject({ trace: 'abc' });
  });

  test('what a foreign consumer has nacked is a dead letter of ours: listed, and redriven under the id that it had', async () => {
    const url = await server().freshUrl();
    const topics = orchestratorTopics();
    const queue = await opened(url, topics);
    const program = await plainProgram(url);
    const letters = queue.admin.deadLetters(topics.jobs);
    await program.publish('solstice.jobs', 'jobrequest.v1', jobRequest());
    await program.apart(async (channel) => {
      const message = await eventually('it', () => channel.get('solstice.jobs.v1'));
      channel.nack(message, false, false);
      await channel.checkQueue('solstice.jobs.v1');
    });

    const letter = await eventually('a letter', async () => (await letters.list()).letters[0]);
    expect(letter).toMatchObject({
      routingKey: 'jobrequest.v1',
      death: { cause: 'rejected', reason: 'the broker dead-lettered it from queue "solstice.jobs.v1": rejected' },
    });
    expect(letter.buriedAt).toBeGreaterThan(Date.now() - 600_000);
    expect(await letters.redrive([letter.id])).toBe(1);

    const served = new Promise<string>((resolve) => {
      void queue.consume(topics.jobs, async ({ message }) => resolve(message.id));
    });
    expect(await served).toBe(letter.id);
    expect(await letters.count()).toBe(0);
  });

  test('a message that is no JSON is a dead letter with the reason, where Solstice looks for it', async () => {
    const url = await server().freshUrl();
    const topics = orchestratorTopics();
    const queue = await opened(url, topics);
    const program = await plainProgram(url);
    await queue.consume(topics.jobs, async () => {});

    await program.publish('solstice.jobs', 'jobrequest.v1', Buffer.from('<xml/>'));

    const { death } = await eventually(
      'a letter',
      async () => (await queue.admin.deadLetters(topics.jobs).list()).letters[0],
    );
    expect(death).toMatchObject({ cause: 'undecodable' });
    expect((await program.next('solstice.jobs.v1.dlq')).content.toString()).toBe('<xml/>');
  });

  test('listing its dead letters 30 times changes and loses nothing', async () => {
    const url = await server().freshUrl();
    const topics = orchestratorTopics();
    const queue = await opened(url, topics);
    const program = await plainProgram(url);
    const letters = queue.admin.deadLetters(topics.jobs);
    for (const n of [1, 2, 3]) await program.publish('', 'solstice.jobs.v1.dlq', { n });
    const first = await letters.list();
    expect(first.letters.map(({ bodyText }) => bodyText)).toEqual(['{"n":1}', '{"n":2}', '{"n":3}']);

    for (let n = 0; n < 30; n++) await letters.list();

    expect(await letters.list()).toEqual(first);
  });
});
