// What is counted by whom: attempts by us, in headers of ours, and what came again without an answer by the broker.
import { beforeAll, expect, test, vi } from 'vitest';
import { describeServers, tcpProxy } from '../../servers/index.js';
import { BrokerSide } from './broker-side.js';
import { eventually } from './eventually.js';
import { Gate, jobTopic, openProcess, queueOf } from './jobs.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

await describeServers(['rabbitmq'], (_, server) => {
  let url: string;
  beforeAll(async () => {
    url = await server().freshUrl();
  });

  test.concurrent('a message that kills whoever has it is counted by the broker, and is a dead letter after maxRedeliveries, long before the broker itself would drop it', async () => {
    const topic = jobTopic({ maxRedeliveries: 22 });
    await using broker = new BrokerSide(server(), url);
    await using queue = await openProcess(topic, url);
    await queue.publish(topic, { n: 1 });
    // Nineteen whose channel ends while they have it.
    for (let looks = 0; looks < 19; looks++) expect(await broker.peek(queueOf(topic))).toHaveLength(1);
    const seen: { redeliveries: number; attempt: number }[] = [];
    await using proxy = await tcpProxy(url);
    await using doomed = await openProcess(topic, proxy.url());
    const causes: string[] = [];
    doomed.events.on('dead-lettered', ({ cause }) => causes.push(cause));
    await doomed.consume(
      topic,
      async ({ redeliveries, attempt }) => {
        seen.push({ redeliveries, attempt });
        await new Promise(() => {});
      },
      { concurrency: 100 },
    );

    for (let kills = 0; causes.length === 0; kills++) {
      await eventually('it is handed out, or buried', () => seen.length > kills || causes.length > 0);
      // For the broker, this is how a process ends.
      if (causes.length === 0) proxy.cut();
    }

    expect(causes).toEqual(['crash-loop']);
    // By the broker's count, without a gap, and past the 20 at which 4.x drops a message by itself.
    expect(seen.map(({ redeliveries }) => redeliveries)).toEqual([19, 20, 21, 22]);
    expect(seen.every(({ attempt }) => attempt === 1)).toBe(true);
    const { letters } = await queue.admin.deadLetters(topic).list();
    expect(letters).toMatchObject([
      { death: { cause: 'crash-loop', reason: 'crash-loop', redeliveries: 23, attempt: 1 } },
    ]);
    expect(await broker.ready(queueOf(topic))).toBe(0);
  });

  test.concurrent('a clean stop never costs an attempt, however often', async () => {
    const topic = jobTopic({ maxAttempts: 3 });
    await using queue = await openProcess(topic, url);
    const count = 10;
    await queue.publishBatch(
      topic,
      Array.from({ length: count }, (__, n) => ({ body: { n } })),
    );
    for (let stops = 0; stops < 8; stops++) {
      const stopped = await openProcess(topic, url);
      const started = new Gate();
      const goOn = new Gate();
      // The one in work is postponed, the others were never started.
      await stopped.consume(
        topic,
        async (delivery) => {
          started.open();
          await goOn.opened;
          await delivery.postpone(0);
        },
        { concurrency: 1 },
      );
      await started.opened;
      const closing = stopped.close();
      goOn.open();
      await closing;
    }

    const attempts = new Map<number, number>();
    await queue.consume(topic, ({ message: { body }, attempt }) => attempts.set(body.n, attempt));
    await eventually('all arrive', () => attempts.size === count);
    expect([...attempts.values()]).toEqual(Array.from({ length: count }, () => 1));
    expect(await queue.admin.depth(topic, 'default')).toMatchObject({ dead: 0 });
  });

  test.concurrent('attempts, postpones and the first failure are in headers of ours; the counts of the broker stay behind on every way of a copy', async () => {
    const topic = jobTopic({ backoff: { initialMs: 150, maxMs: 150, jitter: 0 } });
    await using broker = new BrokerSide(server(), url);
    await using publisher = await openProcess(topic, url);
    await publisher.publish(topic, { n: 1 }, { headers: { mine: 'yes' } });
    {
      await using queue = await openProcess(topic, url);
      const steps: string[] = [];
      const consumer = await queue.consume(topic, async (delivery) => {
        steps.push(`${delivery.attempt} ${delivery.postpones}`);
        if (steps.length === 1) return delivery.nack(0);
        // Through a queue of delays, by the broker's dead-lettering.
        if (steps.length === 2) return delivery.nack();
        if (steps.length === 3) return delivery.postpone(120);
        await new Promise(() => {});
      });
      await eventually('it is in hand for the fourth time', () => steps.length === 4);
      expect(steps).toEqual(['1 0', '2 0', '3 0', '3 1']);
      await consumer.close({ deadlineMs: 0 });
    }

    const message = await eventually('it is back', async () => (await broker.peek(queueOf(topic)))[0]);
    const { headers = {} } = message.properties;
    expect(headers).toMatchObject({ mine: 'yes', 'x-signalbox-attempt': 3, 'x-signalbox-postpones': 1 });
    expect(headers['x-signalbox-first-failed-at']).toBeGreaterThan(Date.now() - 60_000);
    const others = Object.keys(headers).filter((name) => !name.startsWith('x-signalbox-') && name !== 'mine');
    // Of this last hand-out, which had no answer.
    expect(others.filter((name) => !/^x-(delivery|acquired)-count$/.test(name))).toEqual([]);
    expect(headers['x-delivery-count']).toBe(1);
  });
});
