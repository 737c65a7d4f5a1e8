// What only a broker that is really killed can show.
import { setTimeout as pause } from 'node:timers/promises';
import type { Topic } from 'signalbox';
import { expect, onTestFinished, test, vi } from 'vitest';
import { describeOwnServers } from '../../servers/index.js';
import { BrokerSide } from './broker-side.js';
import { eventually, soon, timeFactor } from './eventually.js';
import { deadQueueOf, type JobTopic, jobTopic, openProcess, queueOf, type TestQueue } from './jobs.js';

const dayMs = 86_400_000;

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

await describeOwnServers(['rabbitmq'], {}, (name, server) => {
  test('nothing that was confirmed is lost when the broker is killed twice under load, half of it delayed, one for ten days; nothing is early, everybody goes on by itself and soon', async () => {
    const { url, control } = server();
    const topic = jobTopic();
    await using broker = new BrokerSide(server(), url);
    await using publisher = await openProcess(topic, url);
    await using reader = await openProcess(topic, url);
    await publisher.publishAfter(topic, { n: -1 }, 10 * dayMs);
    const facts: string[] = [];
    for (const event of ['disconnected', 'connected'] as const) reader.events.on(event, () => facts.push(event));
    const [confirmed, failures, early] = [new Map<number, number>(), [] as unknown[], [] as number[]];
    const received = new Map<number, number>();
    const sentAt = new Map<number, number>();
    const delayOf = (n: number): number => (n % 2 === 0 ? 0 : 1_000 + ((n * 7_919) % 9_000));
    let lastAt = 0;
    await reader.consume(
      topic,
      ({ message: { body } }) => {
        lastAt = performance.now();
        if (lastAt - (sentAt.get(body.n) ?? 0) < delayOf(body.n)) early.push(body.n);
        received.set(body.n, (received.get(body.n) ?? 0) + 1);
      },
      { concurrency: 64 },
    );
    let [running, n] = [true, 0];
    const publishing = Array.from({ length: 16 }, async () => {
      while (running) {
        const mine = n++;
        sentAt.set(mine, performance.now());
        await publisher.publishAfter(topic, { n: mine }, delayOf(mine)).then(
          () => confirmed.set(mine, performance.now() + delayOf(mine)),
          (error: unknown) => failures.push(error),
        );
        await pause(10);
      }
    });

    for (let kill = 1; kill <= 2; kill++) {
      const enough = confirmed.size + 1_000;
      await eventually('1000 more are confirmed', () => confirmed.size >= enough, 30_000);
      await control?.kill9();
      await control?.start();
      const handshakeAt = performance.now();
      await eventually('the consumer works again', () => lastAt > handshakeAt, 10_000);
      expect(lastAt - handshakeAt).toBeLessThan(5_000 * timeFactor);
    }
    const enough = confirmed.size + 300;
    await eventually('publishing goes on', () => confirmed.size >= enough, 60_000);
    running = false;
    await Promise.all(publishing);

    expect(failures).toEqual([]);
    const lastDueAt = Math.max(...confirmed.values());
    const missing = (): readonly number[] => [...confirmed.keys()].filter((one) => !received.has(one));
    // 10 s after they were due; on 3.x, the dead-letter worker's time-out (5 s here) may come on top.
    await eventually(
      'all that was confirmed arrives',
      () => missing().length === 0,
      lastDueAt - performance.now() + 20_000,
    );
    if (/^rabbitmq:4\b/.test(name)) expect(performance.now() - lastDueAt).toBeLessThan(10_000 * timeFactor);
    expect(early).toEqual([]);
    await eventually('it was told', () => facts.length === 4);
    expect(facts).toEqual(['disconnected', 'connected', 'disconnected', 'connected']);
    await broker.has(queueOf(topic), 0);
    await eventually('all is well', () => reader.health().status === 'ok');
    // The first part of ten days, for which there was no exact queue then.
    expect(await broker.count('signalbox.delay.500000000')).toBe(1);
  });

  interface Scene {
    readonly url: string;
    readonly broker: BrokerSide;
    readonly topic: JobTopic;
  }

  /** A process that goes on until the test ends: nothing is closed in peace before the broker is killed. */
  async function open(
    topic: JobTopic,
    url: string,
    options: Parameters<typeof openProcess>[2] = {},
  ): Promise<TestQueue> {
    const queue = await openProcess(topic, url, options);
    onTestFinished(() => queue.close({ deadlineMs: 0 }));
    return queue;
  }

  /** Queues that are young when something in them is confirmed. Each answers what was, and in which group. */
  const young: Readonly<
    Record<string, (scene: Scene) => Promise<{ readonly confirmed: readonly number[]; readonly group?: string }>>
  > = {
    'published to a topic that was just set up': async ({ url, topic }) => {
      const queue = await open(topic, url);
      await queue.publish(topic, { n: 1 });
      return { confirmed: [1] };
    },
    'published to a group that was just added': async ({ url, topic }) => {
      const queue = await open(topic, url);
      await queue.admin.addGroup(topic, 'late');
      await queue.publish(topic, { n: 1 });
      return { confirmed: [1], group: 'late' };
    },
    'published by a process that declares nothing, while another one does': async ({ url, topic }) => {
      const queue = await open(topic, url, { setup: 'none' });
      const setup = open(topic, url);
      setup.catch(() => {});
      let isStored = false;
      while (!isStored) {
        await queue.publish(topic, { n: 1 }).then(
          () => {
            isStored = true;
          },
          () => pause(5),
        );
      }
      return { confirmed: [1] };
    },
    'published with a delay that is used for the first time': async ({ url, topic }) => {
      const queue = await open(topic, url);
      const confirmed: number[] = [];
      const untilMs = performance.now() + 2_200;
      for (let n = 0; performance.now() < untilMs; n++) {
        await queue.publishAfter(topic, { n }, 3_700);
        confirmed.push(n);
      }
      return { confirmed };
    },
    'published to a queue that had been deleted': async ({ url, broker, topic }) => {
      const queue = await open(topic, url);
      await broker.withChannel((channel) => channel.deleteQueue(queueOf(topic)));
      const confirmed: number[] = [];
      const publish = async (n: number): Promise<void> => {
        await queue.publish(topic, { n });
        confirmed.push(n);
      };
      // The first has it declared again and waits. The later ones find it there, and young.
      for (let n = 0; confirmed.length === 0; n++) {
        void publish(n).catch(() => {});
        await pause(20);
      }
      return { confirmed: [...confirmed] };
    },
    'buried in a queue that had been deleted': async ({ url, broker, topic }) => {
      const queue = await open(topic, url);
      await broker.withChannel((channel) => channel.deleteQueue(deadQueueOf(topic)));
      await queue.publish(topic, { n: 1 });
      let isBuried = false;
      queue.events.on('dead-lettered', () => {
        isBuried = true;
      });
      await queue.consume(topic, (delivery) => delivery.reject('for the test'));
      await eventually('it is buried', () => isBuried);
      return { confirmed: [1] };
    },
    'redriven to a queue that had been deleted': async ({ url, broker, topic }) => {
      const queue = await open(topic, url);
      const consumer = await queue.consume(topic, (delivery) => delivery.reject('for the test'));
      await queue.publish(topic, { n: 1 });
      const letters = queue.admin.deadLetters(topic);
      await eventually('it is buried', async () => (await letters.count()) === 1);
      await consumer.close();
      await broker.withChannel((channel) => channel.deleteQueue(queueOf(topic)));
      expect(await letters.redrive('all')).toBe(1);
      return { confirmed: [1] };
    },
  };

  test.each(Object.entries(young))(
    'what was %s is there after the broker is killed at once',
    async (_what, confirm) => {
      const { url, control } = server();
      const topic = jobTopic();
      await using broker = new BrokerSide(server(), url);
      const scene = { url, broker, topic };
      const { confirmed, group = 'default' } = await confirm(scene);

      await control?.kill9();
      await control?.start();

      await using queue = await openProcess(topic, url);
      expect(await received(queue, topic, group, confirmed)).toEqual([]);
    },
  );

  test('what the broker confirmed for a queue that it had just made, and was killed before that was durable, is sent again or rejected; never called published and lost', async () => {
    const { url, control } = server();
    const topic = jobTopic();
    await using broker = new BrokerSide(server(), url);
    const queue = await open(topic, url);
    await broker.withChannel((channel) => channel.deleteQueue(queueOf(topic)));
    const outcomes: Promise<{ readonly n: number; readonly error: unknown }>[] = [];
    // The first has it declared again and waits. The later ones find it there, and young.
    for (let ready = 0; ready === 0; await pause(20)) {
      const n = outcomes.length;
      outcomes.push(
        queue.publish(topic, { n }).then(
          () => ({ n, error: null }),
          (error: unknown) => ({ n, error }),
        ),
      );
      ready = await broker.ready(queueOf(topic)).catch(() => 0);
    }

    await control?.kill9();
    await control?.start();

    const settled = await soon('each is published or rejected', Promise.all(outcomes));
    const published = settled.flatMap(({ n, error }) => (error === null ? [n] : []));
    expect(await received(queue, topic, 'default', published)).toEqual([]);
  });

  /** Which of these do not arrive, as messages or as dead letters. */
  async function received(
    queue: TestQueue,
    topic: Topic,
    group: string,
    expected: readonly number[],
  ): Promise<readonly number[]> {
    const seen = new Set<number>();
    await queue.consume(topic, ({ message: { body } }) => seen.add((body as { n: number }).n), { group });
    const missing = (): readonly number[] => expected.filter((n) => !seen.has(n));
    const buried = async (): Promise<void> => {
      for (const { bodyText } of (await queue.admin.deadLetters(topic, group).list()).letters)
        seen.add(JSON.parse(bodyText).n);
    };
    await eventually('all are there', async () => {
      if (missing().length > 0) await buried();
      return missing().length === 0;
    }).catch(() => {});
    return missing();
  }
});
