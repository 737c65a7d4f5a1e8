// What goes wrong while messages are in hand, and must stop neither the consumer nor anybody else.
import { setTimeout as pause } from 'node:timers/promises';
import { amqp } from 'signalbox/amqp';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Received, Settlement } from '../../../src/queue/driver.js';
import { describeServers } from '../../servers/index.js';
import { BrokerSide } from './broker-side.js';
import { eventually } from './eventually.js';
import { Gate, jobTopic, named, openProcess, queueOf } from './jobs.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

await describeServers(['rabbitmq'], (_, server) => {
  let url: string;
  let broker: BrokerSide;
  beforeAll(async () => {
    url = await server().freshUrl();
    broker = new BrokerSide(server(), url);
  });
  afterAll(() => broker?.[Symbol.asyncDispose]());

  test.concurrent('a queue that is deleted under its consumers is declared again with its bindings; all of them resume and say so, and what was in hand is lost to its holder', async () => {
    const topic = jobTopic({ groups: { default: { patterns: ['a.*'] } } });
    const warnings: { fields: object; text: string }[] = [];
    const logger = { info: () => {}, warn: (fields: object, text: string) => void warnings.push({ fields, text }) };
    await using one = await openProcess(topic, url, { logger });
    await using other = await openProcess(topic, url, { logger });
    const events: string[] = [];
    const received: number[] = [];
    const gate = new Gate();
    const outcomes: unknown[] = [];
    for (const [who, queue] of Object.entries({ one, other })) {
      for (const event of ['lease-lost', 'resubscribed'] as const)
        queue.events.on(event, () => events.push(`${who} ${event}`));
      await queue.consume(
        topic,
        async (delivery) => {
          received.push(delivery.message.body.n);
          if (delivery.message.body.n > 0) return;
          await gate.opened;
          await delivery.ack().catch((error: unknown) => outcomes.push(error));
        },
        { concurrency: 2 },
      );
    }
    await one.publish(topic, { n: 0 }, { routingKey: 'a.b' });
    await eventually('it is in hand', () => received.length === 1);
    // The broker's count: whoever only begins to consume when the queue goes has nothing to resume.
    await eventually(
      'both consume, the one with the message with its whole prefetch',
      async () => (await broker.consumers(queueOf(topic))) === 3,
    );

    await broker.withChannel((channel) => channel.deleteQueue(queueOf(topic)));
    await eventually('both have resumed', () => events.filter((what) => what.endsWith('resubscribed')).length === 2);
    for (let n = 1; n <= 40; n++) await one.publish(topic, { n }, { routingKey: 'a.b' });
    gate.open();

    await eventually('all arrive', () => received.length === 41);
    await eventually('the ack is answered', () => outcomes.length === 1);
    expect(outcomes).toMatchObject([{ code: 'lease-lost' }]);
    expect(events.filter((what) => what.endsWith('lease-lost'))).toHaveLength(1);
    expect(events.filter((what) => what.endsWith('resubscribed')).sort()).toEqual([
      'one resubscribed',
      'other resubscribed',
    ]);
    expect(warnings.filter(({ text }) => text.includes('declared again'))).toMatchObject([
      { fields: { topic: topic.name, queues: [queueOf(topic)] } },
    ]);
    expect(one.health()).toMatchObject({ status: 'ok', connected: true });
  });

  test.concurrent('groups that are removed under their readers cost nobody a connection, and are read again when they are added again', async () => {
    const groups = ['a', 'b', 'c', 'd', 'e', 'f'];
    const topic = jobTopic({ groups: Object.fromEntries(groups.map((group) => [group, {}])) });
    await using queue = await openProcess(topic, url);
    const lost: unknown[] = [];
    queue.events.on('disconnected', ({ cause }) => lost.push(cause));
    const received: string[] = [];
    for (const group of groups) {
      await queue.consume(topic, ({ message: { body } }) => void received.push(`${group} ${body.n}`), { group });
    }
    await queue.publish(topic, { n: 1 });
    await eventually('all read', () => received.length === groups.length);
    // So long that each reader would try again at once.
    await pause(5_500);

    for (const group of groups) await queue.admin.removeGroup(topic, group);
    await using again = await openProcess(topic, url);
    await again.publish(topic, { n: 2 });

    await eventually('all read again', () => received.length === 2 * groups.length);
    expect(lost).toEqual([]);
  });

  test.concurrent('what handlers, listeners and the logger throw ends no connection and loses no message', async () => {
    const topic = jobTopic();
    const shout = (): never => {
      throw new Error('from the logger');
    };
    await using queue = await openProcess(topic, url, { logger: { info: shout, warn: shout } });
    let disconnected = 0;
    queue.events.on('disconnected', () => disconnected++);
    for (const event of ['delivered', 'settled', 'retried', 'handler-failed', 'published'] as const) {
      queue.events.on(event, () => {
        throw new Error(`from a listener of ${event}`);
      });
    }
    const attempts = new Map<number, number[]>();
    await queue.consume(topic, ({ message: { body }, attempt }) => {
      attempts.set(body.n, [...(attempts.get(body.n) ?? []), attempt]);
      if (attempt < 3) throw new Error('from the handler, before anything is awaited');
    });

    for (let n = 0; n < 20; n++) await queue.publish(topic, { n });

    await eventually('each has had its three attempts', () => [...attempts.values()].flat().length === 60);
    for (const each of attempts.values()) expect(each).toEqual([1, 2, 3]);
    expect(disconnected).toBe(0);
    expect(await queue.admin.depth(topic, 'default')).toMatchObject({ ready: 0, dead: 0 });
  });

  test.concurrent.each(['first', 'second'])(
    'who reads again while something is in hand is pushed its prefetch once, the first message alone: on the %s connection',
    async (which) => {
      const topic = jobTopic();
      await using queue = await openProcess(topic, url);
      await queue.publishBatch(
        topic,
        Array.from({ length: 30 }, (__, n) => ({ body: { n } })),
      );
      const options = named(url);
      const lost: unknown[] = [];
      const driver = amqp(options);
      await driver.open({ logger: { info: () => {}, warn: () => {} }, emit: () => {} });
      try {
        const subscription = await driver.subscribe({
          ...{ topic: topic.name, group: 'default', prefetch: 10, consumer: 'again' },
          onLost: (receipts) => lost.push(...receipts),
        });
        const one = () => subscription.receive(1, 10_000, new AbortController().signal);
        expect(await one()).toHaveLength(1);
        if (which === 'second') {
          await broker.closeConnections(options.connectionName);
          await eventually('it is lost', () => lost.length === 1);
          expect(await one()).toHaveLength(1);
        }
        await eventually('the prefetch is pushed', async () => (await broker.ready(queueOf(topic))) === 20);
        await subscription.receive(1, 10_000, AbortSignal.abort());
        await eventually('what was not taken is back', async () => (await broker.ready(queueOf(topic))) === 29);

        expect(await one()).toHaveLength(1);
        await eventually('the prefetch is pushed', async () => (await broker.ready(queueOf(topic))) === 19);
      } finally {
        await driver.close();
      }
    },
  );

  test.concurrent('a second settlement of any kind is lost, writes nothing, and disturbs none of those beside it', async () => {
    const topic = jobTopic();
    await using queue = await openProcess(topic, url);
    await queue.publishBatch(
      topic,
      Array.from({ length: 9 }, (__, n) => ({ body: { n } })),
    );
    const driver = amqp(url);
    const lost: unknown[] = [];
    await driver.open({ logger: { info: () => {}, warn: () => {} }, emit: (event) => lost.push(event) });
    try {
      const subscription = await driver.subscribe({
        ...{ topic: topic.name, group: 'default', prefetch: 20, consumer: 'twice' },
        onLost: (receipts) => lost.push(...receipts),
      });
      const held: Received[] = [];
      await eventually('all are in hand', async () => {
        held.push(...(await subscription.receive(20, 100, new AbortController().signal)));
        return held.length === 9;
      });
      const counts = { attempt: 2, postpones: 0, firstFailedAt: null };
      const kinds: readonly ((one: Received) => Settlement)[] = [
        ({ receipt }) => ({ kind: 'ack', receipt, outbox: [] }),
        ({ receipt }) => ({ kind: 'release', receipt, delayMs: 60_000, counts }),
        ({ receipt }) => ({ kind: 'give-back', receipt }),
      ];
      const receipts = held.slice(0, 3);
      const settle = async (one: Received, kind: number): Promise<string | undefined> => {
        const settlement = kinds[kind]?.(one);
        return settlement && (await subscription.settle([settlement]))[0]?.status;
      };
      const answers: (string | undefined)[] = [];
      // The give-back last: it comes again at once.
      for (const [first, one] of receipts.entries()) answers.push(await settle(one, first));
      for (const one of receipts) for (const kind of [0, 1, 2]) answers.push(await settle(one, kind));

      expect(answers).toEqual(['done', 'done', 'done', ...Array.from({ length: 9 }, () => 'lost')]);
      const rest = await subscription.settle(
        held.slice(3).map(({ receipt }) => ({ kind: 'ack', receipt, outbox: [] })),
      );
      expect(rest.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 'done'));
      await eventually('what was given back is there again', async () => {
        const again = await subscription.receive(20, 100, new AbortController().signal);
        return (
          again.length === 1 &&
          (await subscription.settle(again.map(({ receipt }) => ({ kind: 'ack', receipt, outbox: [] }))))
        );
      });
      expect(lost).toEqual([]);
    } finally {
      await driver.close();
    }
    expect(await broker.ready(queueOf(topic))).toBe(0);
  });
});
