// What goes wrong between a publish and its confirm, on brokers that are made to do it.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeServers } from '../../servers/index.js';
import { BrokerSide } from './broker-side.js';
import { eventually, soon } from './eventually.js';
import { fastClock } from './fast-clock.js';
import { exchangeOf, jobTopic, named, openProcess, queueOf } from './jobs.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

await describeServers(['rabbitmq'], (_, server) => {
  let url: string;
  let broker: BrokerSide;
  beforeAll(async () => {
    url = await server().freshUrl();
    broker = new BrokerSide(server(), url);
  });
  afterAll(() => broker?.[Symbol.asyncDispose]());

  test.concurrent('a missing exchange is declared again, and what was in flight beside it is sent again and blamed for nothing', async () => {
    const [topic, innocent] = [jobTopic(), jobTopic()];
    await using queue = await openProcess([topic, innocent], url);
    const received = { guilty: new Set<number>(), innocent: new Set<number>() };
    await queue.consume(topic, ({ message: { body } }) => received.guilty.add(body.n));
    await queue.consume(innocent, ({ message: { body } }) => received.innocent.add(body.n));
    await queue.publish(topic, { n: -1 });

    await broker.withChannel((channel) => channel.deleteExchange(exchangeOf(topic)));
    const all = Array.from({ length: 200 }, (__, n) => n);
    await Promise.all(all.flatMap((n) => [queue.publish(topic, { n }), queue.publish(innocent, { n })]));

    await eventually('all arrive', () => received.guilty.size === 201 && received.innocent.size === 200);
  });

  test.concurrent('a channel that is closed while it publishes costs nothing: all goes on over the next one', async () => {
    const topic = jobTopic();
    const options = named(url);
    await using queue = await openProcess(topic, options);
    const ids = new Map<number, Set<string>>();
    await queue.consume(topic, ({ message: { id, body } }) => {
      ids.set(body.n, (ids.get(body.n) ?? new Set()).add(id));
    });
    const events: string[] = [];
    queue.events.on('disconnected', () => events.push('disconnected'));
    let running = true;
    let n = 0;
    const publishing = Array.from({ length: 30 }, async () => {
      while (running) {
        await queue.publish(topic, { n: n++ });
        await pause(5);
      }
    });

    for (let times = 0; times < 2; times++) await broker.closeChannels('publishing', options.connectionName);
    await pause(100);
    running = false;
    await Promise.all(publishing);

    await eventually('all arrive', () => ids.size === n);
    for (const each of ids.values()) expect(each.size).toBe(1);
    expect(events).toEqual([]);
  });

  test.concurrent('a confirm that never comes: after its deadline the message is sent again with its id, and nobody else waits for it', async () => {
    const [stuck, other] = [jobTopic(), jobTopic()];
    const warnings: string[] = [];
    const logger = { info: () => {}, warn: (_fields: object, text: string) => void warnings.push(text) };
    // Its 25 s are 2.5 s.
    await using queue = await openProcess([stuck, other], { url, clock: fastClock(10) }, { logger });
    await queue.publish(stuck, { n: 0 });
    await broker.suspend(queueOf(stuck));
    let outcome = 'waiting';
    const publishing = queue.publish(stuck, { n: 1 });
    publishing.then(
      () => (outcome = 'published'),
      () => (outcome = 'rejected'),
    );

    await eventually('it is given up on its channel', () =>
      warnings.some((text) => text.includes('not confirmed in time')),
    );
    await soon('others are confirmed', queue.publish(other, { n: 2 }), 10_000);
    expect(outcome).toBe('waiting');
    await broker.wake(queueOf(stuck));

    const { id } = await soon('it is confirmed in the end', publishing);
    const copies = (await broker.peek(queueOf(stuck))).slice(1).map(({ properties }) => properties.messageId);
    expect(copies.length).toBeGreaterThan(0);
    expect(new Set(copies)).toEqual(new Set([id]));
  });

  test.concurrent('what a full queue refuses is tried again until there is room, and at the deadline rejected as such', async () => {
    const topic = jobTopic();
    const queueName = queueOf(topic);
    // 30 s are 6 s.
    await using queue = await openProcess(topic, url, { clock: fastClock(5) });
    const policy = `full-${topic.name}`;
    const [pattern, definition] = [`^${queueName.replaceAll('.', '\\.')}$`, '{"max-length":3}'];
    await broker.ctl('set_policy', '-p', '{vhost}', '--apply-to', 'queues', policy, pattern, definition);
    const results: Promise<unknown>[] = [];
    for (let n = 0; n < 10; n++) {
      results.push(queue.publish(topic, { n }));
      // A quorum queue takes what comes at once, and says only then that it is full.
      await Promise.race([results[n]?.catch(() => {}), pause(100)]);
    }
    const settled = await Promise.allSettled(results);
    const refused = settled.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    expect(refused.length).toBeGreaterThan(0);
    const full = { code: 'resource-exhausted', retryable: true };
    for (const reason of refused) {
      // The last try of some was under way at their deadline.
      const { code } = reason as { code: string };
      expect(reason).toMatchObject(code === 'timeout' ? { retryable: true, cause: full } : full);
    }

    const again = queue.publish(topic, { n: 99 });
    const received: number[] = [];
    await queue.consume(topic, ({ message: { body } }) => received.push(body.n));
    await soon('it is taken when there is room', again);
    await eventually('it arrives', () => received.includes(99));
  });

  test.concurrent('what no group accepts is rejected as unroutable and stored nowhere; its neighbours in flight are not', async () => {
    const topic = jobTopic({ groups: { default: { patterns: ['good.#'] } } });
    await using queue = await openProcess(topic, url);

    const sends = Array.from({ length: 60 }, (__, n) =>
      queue.publish(topic, { n }, { routingKey: n % 2 === 0 ? 'good.one' : 'bad' }),
    );
    const results = await Promise.allSettled(sends);

    for (const [n, result] of results.entries()) {
      if (n % 2 === 0) expect(result.status).toBe('fulfilled');
      else expect(result).toMatchObject({ status: 'rejected', reason: { code: 'unroutable', outcomeUnknown: false } });
    }
    expect(await broker.peek(queueOf(topic))).toHaveLength(30);
  });

  test.concurrent.each([
    ['x-queue-type', { 'x-queue-type': 'classic', 'x-overflow': 'reject-publish' }, 'classic', 'quorum'],
    [
      'x-delivery-limit',
      { 'x-queue-type': 'quorum', 'x-overflow': 'reject-publish', 'x-delivery-limit': 5 },
      '5',
      '1000000',
    ],
  ])(
    'a queue that exists with another %s is a topology-mismatch that names it, the argument and both values, and nothing is changed',
    async (argument, args, exists, asked) => {
      const topic = jobTopic();
      const name = queueOf(topic);
      const declare = () =>
        broker.withChannel((channel) => channel.assertQueue(name, { durable: true, arguments: args }));
      await declare();
      await broker.withChannel(async (channel) => channel.sendToQueue(name, Buffer.from('theirs')));

      const opened = await openProcess(topic, url).catch((error: unknown) => error);

      expect(opened).toMatchObject({
        code: 'topology-mismatch',
        retryable: false,
        message: expect.stringContaining(`queue "${name}" exists with ${argument} ${exists}, asked for ${asked}`),
      });
      await declare();
      expect(await broker.peek(name)).toHaveLength(1);
    },
  );

  test('a pause is heeded also where the queue of one who listens takes nothing, as one that is about to end does', async () => {
    const topic = jobTopic();
    await using queue = await openProcess(topic, { url, prefix: 'noticed' });
    const received: number[] = [];
    await queue.consume(topic, ({ message: { body } }) => void received.push(body.n));
    await queue.publish(topic, { n: 1 });
    await eventually('it reads', () => received.length === 1);
    await broker.withChannel(async (channel) => {
      const full = { 'x-max-length': 0, 'x-overflow': 'reject-publish' };
      await channel.assertQueue('noticed.full', { durable: true, arguments: full });
      await channel.bindQueue('noticed.full', 'noticed.changes', '');
    });

    await queue.admin.pause(topic, 'default');
    await queue.publish(topic, { n: 2 });
    expect(await broker.ready(queueOf(topic, 'default', 'noticed'))).toBe(1);
    await queue.admin.resume(topic, 'default');

    await eventually('it reads on', () => received.length === 2);
  });

  test('groups that are added and removed under publishers cost them no connection', async () => {
    const topic = jobTopic();
    await using publisher = await openProcess(topic, url);
    await using other = await openProcess(topic, url);
    const lost: unknown[] = [];
    publisher.events.on('disconnected', (event) => lost.push(event));
    await publisher.consume(topic, () => {});
    let running = true;
    const publishing = Array.from({ length: 20 }, async () => {
      while (running) {
        await publisher.publish(topic, { n: 1 });
        await pause(1);
      }
    });
    for (let i = 0; i < 4; i++) {
      await other.admin.addGroup(topic, 'passing');
      await pause(100);
      await other.admin.removeGroup(topic, 'passing');
    }
    running = false;
    await Promise.all(publishing);

    expect(lost).toEqual([]);
  });

  test.concurrent('a group whose queues an operator has deleted is removed all the same', async () => {
    const topic = jobTopic();
    await using queue = await openProcess(topic, url);
    await queue.admin.addGroup(topic, 'gone');
    await broker.withChannel((channel) => channel.deleteQueue(queueOf(topic, 'gone')));

    await queue.admin.removeGroup(topic, 'gone');

    expect(
      (await queue.admin.topics()).find(({ name }) => name === topic.name)?.groups.map(({ name }) => name),
    ).toEqual(['default']);
  });
});
