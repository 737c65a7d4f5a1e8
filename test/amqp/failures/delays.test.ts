// Delays through the queues of a broker: how many there are, what waits in them while nobody runs, and where it goes that has no destination.
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, expect, test, vi } from 'vitest';
import { describeServers } from '../../servers/index.js';
import { BrokerSide } from './broker-side.js';
import { eventually, soon, timeFactor } from './eventually.js';
import { fastClock } from './fast-clock.js';
import { exchangeOf, jobTopic, openProcess, queueOf } from './jobs.js';

const dayMs = 86_400_000;

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

await describeServers(['rabbitmq'], (_, server) => {
  let url: string;
  beforeAll(async () => {
    url = await server().freshUrl();
  });

  test.concurrent('a delay of more than a year is refused before anything is sent; ten days are taken', async () => {
    const topic = jobTopic();
    await using queue = await openProcess(topic, url);
    const { maxMs } = queue.capabilities.delay;

    expect(maxMs).toBeGreaterThanOrEqual(30 * dayMs);
    await expect(queue.publishAfter(topic, { n: 1 }, maxMs + 1)).rejects.toMatchObject({ code: 'invalid' });
    await queue.publishAfter(topic, { n: 2 }, 10 * dayMs);
    await queue.publishAfter(topic, { n: 3 }, maxMs);
  });

  test.concurrent('what fell due while all our processes were gone is delivered at once when one starts', async () => {
    const topic = jobTopic();
    // A prefix of its own: the processes of other tests would move what is due here as well.
    const options = { url, prefix: 'alone' };
    {
      await using publisher = await openProcess(topic, options);
      // Several parts each, the last of which nobody is there to hold.
      await Promise.all(Array.from({ length: 50 }, (__, n) => publisher.publishAfter(topic, { n }, 1_000 + n * 37)));
    }
    await pause(4_000);

    await using queue = await openProcess(topic, options);
    const received = new Set<number>();
    await queue.consume(topic, ({ message: { body } }) => received.add(body.n));
    const startedAt = performance.now();
    await eventually('all are here', () => received.size === 50, 5_000);

    // The parts that were left take half a second at most, if they are not waited for once more.
    expect(performance.now() - startedAt).toBeLessThan(2_500 * timeFactor);
  });

  test('however random the delays, each queue of theirs has two significant digits: at most 90 per decade; none of the messages is early', async () => {
    const topic = jobTopic();
    await using broker = new BrokerSide(server(), url);
    const count = 300;
    {
      await using queue = await openProcess(topic, url);
      const dueAt = new Map<number, number>();
      const early: number[] = [];
      const received = new Set<number>();
      await queue.consume(topic, ({ message: { body } }) => {
        if (performance.now() < (dueAt.get(body.n) ?? Number.POSITIVE_INFINITY)) early.push(body.n);
        received.add(body.n);
      });
      for (let n = 0; n < count; n++) {
        const delayMs = 100 + Math.random() * 900;
        // It counts from the moment of storing, which is later.
        dueAt.set(n, performance.now() + delayMs);
        await queue.publishAfter(topic, { n }, delayMs);
        await pause(10);
      }
      await eventually('all arrive', () => received.size === count, 20_000);
      expect(early).toEqual([]);
    }

    const prefix = 'signalbox.delay.';
    const names = (await broker.queues()).filter((name) => name.startsWith(prefix));
    const delaysMs = names.map((name) => Number(name.slice(prefix.length)));
    // Those of random delays are among them, not the prepared ones alone.
    expect(delaysMs.filter((ms) => ms < 1_000).length).toBeGreaterThan(5);
    for (const ms of delaysMs) expect(String(ms)).toMatch(/^[1-9][0-9]0+$/);
    for (let decade = 100; decade < 1e9; decade *= 10) {
      expect(delaysMs.filter((ms) => ms >= decade && ms < 10 * decade).length).toBeLessThanOrEqual(90);
    }
  });

  // The RabbitMQ driver's issue is open: on 4.3.6 the one that an operator deletes was red three times in a row in a fresh clone.
  test.each(['removed by us', 'deleted by an operator'] as const)(
    '100 messages to a destination that was %s meanwhile delay nobody else, and are lost letters: counted, listed, redriven',
    async (how) => {
      const [gone, there] = [jobTopic(), jobTopic()];
      const [count, delayMs] = [100, 2_000];
      await using broker = new BrokerSide(server(), url);
      await using queue = await openProcess([gone, there], url);
      const lateMs = new Map<number, number>();
      const sentAt = new Map<number, number>();
      await queue.consume(there, ({ message: { body } }) => {
        lateMs.set(body.n, performance.now() - (sentAt.get(body.n) ?? 0) - delayMs);
      });
      await Promise.all(
        Array.from({ length: count }, async (__, n) => {
          sentAt.set(n, performance.now());
          await Promise.all([queue.publishAfter(gone, { n }, delayMs), queue.publishAfter(there, { n }, delayMs)]);
        }),
      );
      if (how === 'removed by us') await queue.admin.removeGroup(gone, 'default');
      else
        await broker.withChannel(async (channel) => {
          await channel.deleteQueue(queueOf(gone));
          await channel.deleteExchange(exchangeOf(gone));
          await channel.deleteQueue('signalbox.lost');
        });

      await eventually('those of others arrive', () => lateMs.size === count);
      expect(Math.max(...lateMs.values())).toBeLessThan(3_000 * timeFactor);
      const letters = queue.admin.lostLetters;
      await eventually('the lost letters are counted', async () => (await letters.count()) === count);
      const { letters: listed } = await letters.list({ limit: 1_000 });
      expect(listed).toHaveLength(count);
      for (const each of listed) expect(each).toMatchObject({ topic: gone.name, group: 'default', death: null });

      if (how === 'removed by us') {
        expect(await letters.redrive('all')).toBe(0);
        await queue.admin.addGroup(gone, 'default');
      }
      expect(await letters.redrive(listed.slice(0, 10).map(({ id }) => id))).toBe(10);
      expect(await letters.redrive('all')).toBe(count - 10);
      const redriven = new Set<number>();
      await queue.consume(gone, ({ message: { body } }) => redriven.add(body.n));
      await eventually('they are received', () => redriven.size === count);
      expect(await letters.count()).toBe(0);
    },
  );

  test.concurrent('a delay queue that takes nothing, as a broker leaves one that is killed while it declares it, stops nobody: its delay is a sum of others', async () => {
    const topic = jobTopic();
    await using broker = new BrokerSide(server(), url);
    const prefix = 'unresponsive';
    const broken = `${prefix}.delay.1300`;
    const warnings: object[] = [];
    const logger = { info: () => {}, warn: (fields: object) => void warnings.push(fields) };
    // The 20 s for its answer are 2 s.
    await using queue = await openProcess(topic, { url, prefix, clock: fastClock(10) }, { logger });
    await broker.withChannel((channel) =>
      channel.assertQueue(broken, {
        arguments: {
          'x-queue-type': 'quorum',
          'x-delivery-limit': 1_000_000,
          'x-message-ttl': 1_300,
          'x-dead-letter-exchange': '',
          'x-dead-letter-routing-key': `${prefix}.due`,
          'x-dead-letter-strategy': 'at-least-once',
          'x-overflow': 'reject-publish',
        },
      }),
    );
    await broker.suspend(broken);
    const received = new Set<number>();
    await queue.consume(topic, ({ message: { body } }) => received.add(body.n));

    let n = 0;
    const isKnown = (): boolean => warnings.some((fields) => JSON.stringify(fields).includes(`"${broken}"`));
    await eventually('it is known as broken', async () => {
      await soon('it is confirmed', queue.publishAfter(topic, { n: n++ }, 1_300), 10_000);
      await pause(50);
      return isKnown();
    });
    await queue.publishAfter(topic, { n }, 1_300);
    await eventually('all arrive', () => received.size === n + 1);
    expect(await broker.ready(`${prefix}.lost`)).toBe(0);
    await broker.wake(broken);
  });

  test('250 ms are 250 ms, rounded neither down nor up to seconds', async () => {
    const topic = jobTopic();
    await using queue = await openProcess(topic, url);
    const [sentAt, tookMs] = [new Map<number, number>(), [] as number[]];
    await queue.consume(topic, ({ message: { body } }) => {
      tookMs.push(performance.now() - (sentAt.get(body.n) ?? 0));
    });
    for (let n = 0; n < 20; n++) {
      sentAt.set(n, performance.now());
      await queue.publishAfter(topic, { n }, 250);
      await pause(50);
    }

    await eventually('all arrive', () => tookMs.length === 20);
    tookMs.sort((a, b) => a - b);
    expect(tookMs[0]).toBeGreaterThanOrEqual(250);
    // The machine may be busy with other tests: some of them have had it to themselves.
    expect(tookMs[2]).toBeLessThan(250 + 200 * timeFactor);
  });
});
