// A broker that is out of memory, has no patience with those who take long, or takes no large messages: all are settings of the whole broker.
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { defineTopic, openQueue } from 'signalbox';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { answers } from '../../../src/queue/amqp/answers.js';
import type { Delivery } from '../../../src/queue/amqp/connection/index.js';
import { describeOwnServers } from '../../servers/index.js';
import { declareQueue, testLink, toQueue } from '../connection/test-link.js';
import { BrokerSide } from './broker-side.js';
import { eventually } from './eventually.js';
import { Gate, jobTopic, openProcess, queueOf } from './jobs.js';

const impatient =
  '[{rabbit, [{channel_tick_interval, 500}, {quorum_tick_interval, 500}, {max_message_size, 100000}]}].\n';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

await describeOwnServers(['rabbitmq'], { advancedConfig: impatient }, (_, server) => {
  test('while the broker is out of memory publishes wait, acks go on behind what has to be retried, and health says why; then all goes on', async () => {
    const { url } = server();
    const topic = jobTopic();
    await using broker = new BrokerSide(server(), url);
    await using queue = await openProcess(topic, url);
    const facts: string[] = [];
    for (const event of ['blocked', 'unblocked', 'disconnected', 'settled'] as const) {
      queue.events.on(event, () => facts.push(event));
    }
    const [goOn, received] = [new Gate(), new Set<number>()];
    for (let n = 0; n < 5; n++) await queue.publish(topic, { n });
    await queue.consume(topic, async ({ message: { body }, attempt }) => {
      received.add(body.n);
      await goOn.opened;
      // A nack is a publish, so it waits, and it is the first settlement of all.
      if (body.n === 0 && attempt === 1) throw new Error('fails once');
    });
    await eventually('all are in hand', () => received.size === 5);
    const confirmed: number[] = [];
    let publishing: Promise<unknown> = Promise.resolve();
    try {
      await broker.ctl('set_vm_memory_high_watermark', '0.0000001');
      publishing = Promise.all(
        [100, 101, 102].map(async (n) => {
          await (n === 101 ? queue.publishAfter(topic, { n }, 200) : queue.publish(topic, { n }));
          confirmed.push(n);
        }),
      );
      await eventually('it is told', () => facts.includes('blocked'));
      expect(queue.health()).toMatchObject({
        status: 'degraded',
        connected: true,
        blocked: expect.stringMatching(/./),
      });
      goOn.open();
      await eventually('acks go on', () => facts.filter((fact) => fact === 'settled').length === 4);
      await broker.has(queueOf(topic), 1);
      expect(confirmed).toEqual([]);
    } finally {
      await broker.ctl('set_vm_memory_high_watermark', '0.6');
    }
    await publishing;

    await eventually('all arrive', () => received.size === 8);
    await eventually('all are settled', () => facts.filter((fact) => fact === 'settled').length === 9);
    expect(facts.filter((fact) => fact !== 'settled')).toEqual(['blocked', 'unblocked']);
    expect(queue.health()).toMatchObject({ status: 'ok', blocked: null });
  });

  test('while the broker is out of memory nothing is said of whether a queue answers, and asking stops no acks', async () => {
    const { url } = server();
    await using broker = new BrokerSide(server(), url);
    const { link, facts } = await testLink(url, { callDeadlineMs: 5_000 });
    const queue = `answers.${randomUUID()}`;
    await declareQueue(link, queue, 'quorum');
    for (const text of ['one', 'two']) await link.publish(toQueue(queue, text));
    const got: Delivery[] = [];
    const kept = link.keepConsuming({
      what: 'the consumer',
      prefetch: 2,
      setup: (channel) => channel.consume(queue, { consumerTag: 'test' }),
      onDelivery: (delivery) => void got.push(delivery),
      onLost: () => {},
    });
    await eventually('both are in hand', () => got.length === 2);
    let publishing: Promise<unknown> = Promise.resolve();
    try {
      await broker.ctl('set_vm_memory_high_watermark', '0.0000001');
      publishing = link.publish(toQueue(queue, 'three'));
      await eventually('it is told', () => facts().includes('blocked'));

      const answer = answers(link, queue);
      await expect(answer).rejects.toMatchObject({
        code: 'resource-exhausted',
        retryable: true,
        outcomeUnknown: false,
      });
      for (const delivery of got) delivery.ack();
      await expect(kept.channel?.flushed()).resolves.toBeUndefined();
      await broker.has(queue, 0);
    } finally {
      await broker.ctl('set_vm_memory_high_watermark', '0.6');
    }
    await publishing;
    expect(await answers(link, queue)).toBe(true);
    await kept.close();
    await broker.withChannel((channel) => channel.deleteQueue(queue));
  });

  test('a handler that takes longer than the consumer_timeout of the broker loses its message, is told so, and nobody else loses any', async () => {
    const { url } = server();
    const [slow, quick] = [jobTopic(), jobTopic()];
    await using broker = new BrokerSide(server(), url);
    // Read when a channel is opened, or a consumer is made.
    await broker.ctl('eval', 'application:set_env(rabbit, consumer_timeout, 3000).');
    try {
      await using queue = await openProcess([slow, quick], url);
      const events: string[] = [];
      queue.events.on('lease-lost', ({ topic }) => events.push(topic));
      queue.events.on('disconnected', () => events.push('disconnected'));
      const [outcomes, handed, done]: [unknown[], number[], Set<number>] = [[], [], new Set()];
      let isAborted = false;
      await queue.consume(slow, async (delivery) => {
        handed.push(delivery.redeliveries);
        if (handed.length > 1) return;
        delivery.signal.addEventListener('abort', () => {
          isAborted = true;
        });
        await eventually('its time is up', () => isAborted, 20_000);
        await delivery.ack().catch((error: unknown) => outcomes.push(error));
      });
      await queue.consume(quick, async ({ message: { body } }) => {
        await pause(300);
        done.add(body.n);
      });
      await queue.publish(slow, { n: 0 });
      let n = 0;
      while (!isAborted && n < 200) {
        await queue.publish(quick, { n: n++ });
        await pause(100);
      }

      await eventually('it comes again', () => handed.length === 2);
      await eventually('the late ack is answered', () => outcomes.length === 1);
      expect(outcomes).toMatchObject([{ code: 'lease-lost' }]);
      await eventually('all others are done', () => done.size === n);
      expect(events).toEqual([slow.name]);
      await broker.has(queueOf(slow), 0);
    } finally {
      await broker.ctl('eval', 'application:set_env(rabbit, consumer_timeout, 1800000).');
    }
  });

  test('a message that is larger than the broker takes is too large, says both sizes, and is stored nowhere', async () => {
    const { url } = server();
    const topic = defineTopic(`large-${randomUUID()}`, { schema: z.string() });
    await using queue = await openQueue(url, { topics: [topic] });
    const tooLarge = {
      code: 'payload-too-large',
      retryable: false,
      outcomeUnknown: false,
      message: expect.stringMatching(/it has 100003 bytes, and the broker takes 100000/),
    };

    await expect(queue.publish(topic, 'x'.repeat(100_001))).rejects.toMatchObject(tooLarge);
    await expect(queue.publishAfter(topic, 'x'.repeat(100_001), 50)).rejects.toMatchObject(tooLarge);
    const sizes = [10, 100_001, 10, 100_001, 10];
    const results = await Promise.allSettled(sizes.map((size) => queue.publish(topic, 'x'.repeat(size))));

    for (const n of [1, 3]) expect(results[n]).toMatchObject({ status: 'rejected', reason: tooLarge });
    await queue.publish(topic, 'small');
    const [large, seen]: [string[], string[]] = [[], []];
    await queue.consume(topic, async ({ message: { body } }) => void (body.length > 10 ? large : seen).push(body));
    await eventually('what is not too large', () => seen.includes('small'));
    expect(large).toEqual([]);
  });
});

await describeOwnServers(['rabbitmq'], { advancedConfig: '[{rabbit, [{channel_max, 14}]}].\n' }, (_, server) => {
  test('where the broker allows too few channels for the lanes of a topic, health says so until there are enough', async () => {
    const [first, second] = [jobTopic({ ordering: 'key', lanes: 6 }), jobTopic({ ordering: 'key', lanes: 8 })];
    await using queue = await openProcess([first, second], server().url);
    const troubles = (): unknown[] => queue.health().consumers.map(({ topic, trouble }) => [topic, trouble]);
    const [seen, keys] = [new Set<number>(), 40];
    const consumer = await queue.consume(first, async () => {});
    for (let n = 0; n < keys; n++) await queue.publish(second, { n }, { key: `${n}` });
    expect([queue.health().status, troubles()]).toEqual(['ok', [[first.name, null]]]);

    await queue.consume(second, async ({ message: { body } }) => void seen.add(body.n));
    await eventually('it is degraded', () => queue.health().status === 'degraded');
    expect(troubles()).toEqual([
      [first.name, null],
      [second.name, expect.stringMatching(/^\d of its 8 lanes are not read: .*channel/)],
    ]);

    await consumer.close();
    await eventually('all lanes are read', () => seen.size === keys);
    await eventually('it is well', () => queue.health().status === 'ok');
    expect(troubles()).toEqual([[second.name, null]]);
  });
});
