import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { beforeEach, expect, test } from 'vitest';
import type { Delivery } from '../../../src/queue/amqp/connection/index.js';
import { describeOwnServers } from '../../servers/index.js';
import { eventually } from './eventually.js';
import { declareQueue, drain, testLink, toQueue, unopenedLink } from './test-link.js';

// Servers of this file alone: they are killed, blocked, and their connections closed.
await describeOwnServers(['rabbitmq'], {}, (_, server) => {
  let url: string;
  let queue: string;

  beforeEach(() => {
    url = server().url;
    queue = `link.${randomUUID()}`;
  });

  test('a broker killed with messages in flight: what was confirmed is there, the rest is unknown, and all goes on by itself', async () => {
    const { link, facts } = await testLink(url);
    await declareQueue(link, queue);
    const confirmed: string[] = [];
    const failures: unknown[] = [];
    let sending = true;
    let sent = 0;
    const senders = Array.from({ length: 200 }, async () => {
      while (sending) {
        const text = `text ${sent++}`;
        await link.publish(toQueue(queue, text)).then(
          () => confirmed.push(text),
          (error) => failures.push(error),
        );
      }
    });
    await eventually('messages flow', () => confirmed.length > 2_000, 30_000);

    await server().control?.kill9();
    // Not the loss of either connection: it may be noticed before the confirms that the other one still brings.
    await eventually('the loss is noticed', () => failures.length > 0);
    sending = false;
    await server().control?.start();
    // What waited was sent over the new connection, nobody asked for it.
    await Promise.all(senders);
    await link.publish(toQueue(queue, 'after'));

    for (const failure of failures) {
      expect(failure).toMatchObject({ code: 'unavailable', retryable: true, outcomeUnknown: true });
    }
    const stored = new Set(await drain(link, queue));
    expect(confirmed.filter((text) => !stored.has(text))).toEqual([]);
    expect(stored.has('after')).toBe(true);
    expect(facts()).toEqual(['disconnected', 'connected']);
  }, 90_000);

  test('a consumer works again within 5 s of the first handshake of a killed broker', async () => {
    const { link } = await testLink(url);
    await declareQueue(link, queue);
    const got: Delivery[] = [];
    const lost: (readonly Delivery[])[] = [];
    const kept = link.keepConsuming({
      what: 'the consumer of a test',
      prefetch: 10,
      setup: (channel) => channel.consume(queue, { consumerTag: 'test' }),
      onDelivery: (delivery) => void got.push(delivery),
      onLost: (unsettled) => void lost.push(unsettled),
    });
    await kept.ready();
    await link.publish(toQueue(queue, 'one'));
    const one = await eventually('it is handed out', () => got[0]);

    await server().control?.kill9();
    await server().control?.start();
    await eventually('it is handed out again', () => got.length > 1, 5_000);

    expect(lost).toEqual([[one]]);
    expect([one.ack(), got[1]?.ack()]).toEqual(['lost', 'done']);
    await kept.close();
  }, 90_000);

  test('an operator closes the connections (320, no error event): they are made again', async () => {
    const { link, events, facts } = await testLink(url);
    await declareQueue(link, queue);

    await server().rabbitmqctl?.('close_all_connections', 'for the test');
    await eventually('they are there again', () => facts().length === 2 && link.connected);
    await link.publish(toQueue(queue, 'one'));

    expect(facts()).toEqual(['disconnected', 'connected']);
    expect(events[0]).toMatchObject({ cause: { code: 320 } });
    expect(await drain(link, queue)).toEqual(['one']);
  });

  test('a broker out of memory: publishing pauses and says so, nothing is lost, acks go on', async () => {
    const { link, facts } = await testLink(url);
    await declareQueue(link, queue);
    await link.publish(toQueue(queue, 'before'));
    const [confirmed, blocked] = [new Set<string>(), () => link.blocked];
    try {
      await server().rabbitmqctl?.('set_vm_memory_high_watermark', '0.0000001');
      // The broker blocks a connection when it publishes.
      const published = ['one', 'two', 'three'].map(async (text) => {
        await link.publish(toQueue(queue, text));
        confirmed.add(text);
      });
      await eventually('it is told', blocked);
      const paused = link.publish(toQueue(queue, 'paused'));
      // The other connection is not blocked.
      expect(
        await link.withChannel('get', async (channel) => {
          const message = await channel.get(queue);
          if (message !== false) channel.ack(message);
          return message !== false && message.content.toString();
        }),
      ).toBe('before');
      expect([...confirmed]).toEqual([]);

      await server().rabbitmqctl?.('set_vm_memory_high_watermark', '0.6');
      await Promise.all([...published, paused]);
    } finally {
      await server().rabbitmqctl?.('set_vm_memory_high_watermark', '0.6');
    }

    expect(link.blocked).toBe(null);
    expect(facts()).toEqual(['blocked', 'unblocked']);
    expect((await drain(link, queue)).sort()).toEqual(['one', 'paused', 'three', 'two']);
  }, 60_000);

  test('a message that a blocked broker kept waiting until its deadline: unknown if written, refused if not', async () => {
    const { link } = await testLink(url, { publishDeadlineMs: 1_500 });
    await declareQueue(link, queue);
    try {
      await server().rabbitmqctl?.('set_vm_memory_high_watermark', '0.0000001');
      const written = Promise.allSettled([link.publish(toQueue(queue, 'written'))]);
      await eventually('it is blocked', () => link.blocked);
      const unwritten = Promise.allSettled([link.publish(toQueue(queue, 'unwritten'))]);

      expect(await written).toMatchObject([{ reason: { code: 'timeout', retryable: true, outcomeUnknown: true } }]);
      expect(await unwritten).toMatchObject([
        { reason: { code: 'resource-exhausted', retryable: true, outcomeUnknown: false } },
      ]);
    } finally {
      await server().rabbitmqctl?.('set_vm_memory_high_watermark', '0.6');
    }
    await eventually('it is unblocked', () => link.blocked === null);
    await link.publish(toQueue(queue, 'after'));
    expect(await drain(link, queue)).toEqual(['written', 'after']);
  }, 60_000);

  test('a blocked connection that is lost is blocked no more', async () => {
    const { link, facts } = await testLink(url);
    await declareQueue(link, queue);
    let written: Promise<unknown> = Promise.resolve();
    try {
      await server().rabbitmqctl?.('set_vm_memory_high_watermark', '0.0000001');
      written = Promise.allSettled([link.publish(toQueue(queue, 'one'))]);
      await eventually('it is blocked', () => link.blocked);
      await server().rabbitmqctl?.('close_all_connections', 'for the test');
      await eventually('it is back', () => facts().includes('connected'));
    } finally {
      await server().rabbitmqctl?.('set_vm_memory_high_watermark', '0.6');
    }
    await written;

    // Which of the two connections is closed first is the broker's choice.
    const [blocked, first, second, connected] = facts();
    expect([blocked, connected]).toEqual(['blocked', 'connected']);
    expect([first, second].sort()).toEqual(['disconnected', 'unblocked']);
  }, 60_000);

  test('a wrong password is refused as such, at once, and shown nowhere', async () => {
    const { link, warnings } = unopenedLink(url.replace('guest:guest', 'guest:open-sesame'));

    const refused = await link.open().catch((error: unknown) => error);

    expect(refused).toMatchObject({ name: 'Refusal', code: 'auth' });
    expect(link.connected).toBe(false);
    expect(warnings).toHaveLength(1);
    expect(inspected(refused, warnings)).not.toContain('open-sesame');
    await link.close();
  });

  test('a vhost that is not there is refused by name', async () => {
    const { link } = unopenedLink(`${url.replace(/\/[^/]*$/, '')}/no%20such`);

    await expect(link.open()).rejects.toMatchObject({
      name: 'Refusal',
      code: 'denied',
      message: expect.stringContaining('"no such"'),
    });
  });

  test('a password that is changed while we run: the connection is lost, tried again and again, and made when it is right again', async () => {
    await server().rabbitmqctl?.('add_user', 'mover', 'first-word');
    await server().rabbitmqctl?.('set_permissions', 'mover', '.*', '.*', '.*');
    const { link, events, warnings, facts } = await testLink(url.replace('guest:guest', 'mover:first-word'));

    await server().rabbitmqctl?.('change_password', 'mover', 'second-word');
    await server().rabbitmqctl?.('close_all_connections', 'for the test');
    await eventually('it was tried in vain, twice', () => warnings.length >= 2);
    await server().rabbitmqctl?.('change_password', 'mover', 'first-word');
    await eventually('it is there again', () => link.connected);

    expect(facts()).toEqual(['disconnected', 'connected']);
    const tries = events.flatMap((event) => (event.type === 'reconnecting' ? [event] : []));
    expect(tries.map(({ attempt }) => attempt)).toEqual(tries.map((_each, i) => i + 1));
    expect(inspected(events, warnings)).not.toMatch(/first-word|second-word/);
  }, 60_000);
});

function inspected(...values: unknown[]): string {
  return values.map((value) => inspect(value, { depth: 9, showHidden: true })).join('\n');
}
