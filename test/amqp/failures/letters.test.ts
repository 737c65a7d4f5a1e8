// Dead letters lie in queues of a broker that counts how often each was looked at.
import { expect, test, vi } from 'vitest';
import { describeServers } from '../../servers/index.js';
import { BrokerSide } from './broker-side.js';
import { eventually } from './eventually.js';
import { deadQueueOf, jobTopic, openProcess } from './jobs.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

await describeServers(['rabbitmq'], (_, server) => {
  test.concurrent('dead letters listed 30 times, by two processes, are all there: the broker throws nothing away; they are redriven one by one, purged, and redriven together', async () => {
    const url = await server().freshUrl();
    const topic = jobTopic();
    const count = 12;
    await using broker = new BrokerSide(server(), url);
    await using queue = await openProcess(topic, url);
    await using other = await openProcess(topic, url);
    const received: { n: number; attempt: number; redeliveries: number }[] = [];
    let rejecting = true;
    await queue.consume(topic, async (delivery) => {
      const { message, attempt, redeliveries } = delivery;
      if (rejecting) return delivery.reject(`no ${message.body.n}`);
      received.push({ n: message.body.n, attempt, redeliveries });
    });
    for (let n = 0; n < count; n++) await queue.publish(topic, { n });
    const letters = queue.admin.deadLetters(topic);
    await eventually('all are dead', async () => (await letters.count()) === count);
    const reasonsOf = async (of: typeof letters) => (await of.list()).letters.map(({ death }) => death?.reason);
    const reasons = await reasonsOf(letters);
    expect([...reasons].sort()).toEqual(Array.from({ length: count }, (__, n) => `no ${n}`).sort());

    for (let times = 0; times < 15; times++) {
      const both = await Promise.all([reasonsOf(letters), reasonsOf(other.admin.deadLetters(topic))]);
      expect(both).toEqual([reasons, reasons]);
    }
    expect(await queue.admin.depth(topic, 'default')).toMatchObject({ dead: count });
    expect(await broker.ready(deadQueueOf(topic))).toBe(count);

    rejecting = false;
    const [first, second, third] = (await letters.list()).letters;
    expect(await letters.redrive([first?.id ?? '', third?.id ?? '', 'no such id'])).toBe(2);
    await eventually('both arrive', () => received.length === 2);
    expect(await letters.purge([second?.id ?? ''])).toBe(1);
    expect(await letters.count()).toBe(count - 3);
    expect(await letters.redrive('all')).toBe(count - 3);
    await eventually('the others arrive', () => received.length === count - 1);
    // As new.
    for (const each of received) expect(each).toMatchObject({ attempt: 1, redeliveries: 0 });
    expect(new Set(received.map(({ n }) => n)).size).toBe(count - 1);
    expect(await broker.ready(deadQueueOf(topic))).toBe(0);
  });
});
