import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Delivery, KeptConsumer, KeptOptions, Link } from '../../../src/queue/amqp/connection/index.js';
import { describeServers, type TcpProxy, tcpProxy } from '../../servers/index.js';
import { eventually } from './eventually.js';
import { declareQueue, drain, testLink, toQueue } from './test-link.js';

await describeServers(['rabbitmq'], (_, server) => {
  let url: string;
  let proxy: TcpProxy;
  let queue: string;

  beforeEach(async () => {
    url = server().url;
    proxy = await tcpProxy(url);
    queue = `link.${randomUUID()}`;
  });

  afterEach(async () => {
    await proxy.close();
    const { link } = await testLink(url);
    await link.withChannel('clear away', (channel) => channel.deleteQueue(queue));
  });

  test('a delivery is settled once: the second time it is lost, and nothing is written', async () => {
    const { link } = await filled(url, queue, ['one', 'two']);
    const { got, kept } = await consuming(link, queue);
    const [one, two] = await taken(got, 2);

    const answers = [one.ack(), one.ack(), one.nack(true), two.reject(true), two.ack()];
    await eventually('two is handed out again', () => got.length === 3);

    expect(answers).toEqual(['done', 'lost', 'lost', 'done', 'lost']);
    expect([one.held, got[2]?.held]).toEqual([false, true]);
    // The broker would have closed the channel for an unknown delivery tag.
    expect(kept.channel?.generation).toBe(got[2]?.channel.generation);
    got[2]?.ack();
    await kept.close();
    expect(await drain(link, queue)).toEqual([]);
  });

  test('acks of one turn leave together and in time, and cover nothing that is held', async () => {
    const { link } = await filled(url, queue, ['one', 'two', 'three', 'four', 'five', 'six']);
    const { got, kept } = await consuming(link, queue);
    await eventually('all are here', () => got.length === 6);

    const answers = [3, 0, 1, 5].map((at) => got[at]?.ack());
    // Written behind the acks, though they were not written yet.
    await kept.channel?.raw.checkQueue(queue);
    const held = [2, 4].map((at) => got[at]?.held);
    await kept.close();

    expect(answers).toEqual(['done', 'done', 'done', 'done']);
    expect(held).toEqual([true, true]);
    expect(await drain(link, queue)).toEqual(['three', 'five']);
  });

  test.each(['nack', 'reject'] as const)('no ack of the same turn covers what goes back by %s', async (how) => {
    const { link } = await filled(url, queue, ['one', 'two', 'three', 'four']);
    const { got, kept, lost } = await consuming(link, queue);
    await eventually('all are here', () => got.length === 4);

    const acked = [0, 1, 3].map((at) => got[at]?.ack());
    const wentBack = got[2]?.[how](true);
    await eventually('it is handed out again', () => got.length === 5);
    await kept.close();

    expect([...acked, wentBack]).toEqual(['done', 'done', 'done', 'done']);
    expect(lost).toEqual([]);
    expect(await drain(link, queue)).toEqual(['three']);
  });

  test('waiting until the broker has read everything leaves the limit of the next consumer as it was set', async () => {
    const { link } = await filled(url, queue, ['one', 'two', 'three', 'four', 'five']);
    const got: Delivery[] = [];
    const channel = await link.openConsuming({
      what: `the consumer of ${queue}`,
      prefetch: 1,
      onDelivery: (delivery) => void got.push(delivery),
      onCancelled: () => {},
      onClosed: () => {},
    });

    await Promise.all([channel.limit(3), channel.flushed()]);
    await channel.consume(queue, { consumerTag: 'test' });
    await eventually('three are here', () => got.length >= 3);
    await channel.flushed();

    expect(got.length).toBe(3);
    await channel.close();
  });

  test('many who wait at once until the broker has read everything wait for a round trip or two, not for one each', async () => {
    const { link } = await testLink(proxy.url(), { callDeadlineMs: 2_000 });
    await declareQueue(link, queue);
    const texts = Array.from({ length: 200 }, (_, n) => `${n}`);
    await Promise.all(texts.map((text) => link.publish(toQueue(queue, text))));
    const { got, kept, lost } = await consuming(link, queue, { prefetch: 200 });
    await eventually('all are here', () => got.length === 200);

    proxy.slow({ latencyMs: 20 });
    const flushed = got.map((delivery) => {
      delivery.ack();
      return delivery.channel.flushed();
    });

    await expect(Promise.all(flushed)).resolves.toHaveLength(200);
    expect(lost).toEqual([]);
    await kept.close();
    expect(await drain(link, queue)).toEqual([]);
  });

  test('an ack after a reconnect is lost: the message with the same tag on the new channel is not touched', async () => {
    const { link } = await filled(proxy.url(), queue, ['one', 'two']);
    const { got, kept, lost } = await consuming(link, queue, { prefetch: 1 });
    const [late] = await taken(got, 1);

    proxy.cut();
    await eventually('it is handed out again', () => got.length === 2);
    const [, again] = await taken(got, 2);
    const answer = late.ack();
    await kept.close();

    expect(again.message.fields.deliveryTag).toBe(late.message.fields.deliveryTag);
    expect([answer, late.held]).toEqual(['lost', false]);
    expect(lost).toEqual([[late]]);
    expect(await drain(link, queue)).toEqual(['one', 'two']);
  });

  test('a channel closed in the middle takes only its own deliveries along', async () => {
    const { link } = await filled(url, queue, ['one', 'two']);
    const first = await consuming(link, queue, { prefetch: 1 }, 'first');
    const [one] = await taken(first.got, 1);
    const second = await consuming(link, queue, { prefetch: 1 }, 'second');
    const [two] = await taken(second.got, 1);

    // A declaration that differs: the broker closes the channel, 406.
    await first.kept.channel?.raw.assertQueue(queue, { durable: false }).catch(() => undefined);
    await eventually('the first one is told', () => first.lost.length === 1);

    expect([one.ack(), two.ack()]).toEqual(['lost', 'done']);
    expect(first.lost).toEqual([[one]]);
    expect(second.lost).toEqual([]);
    await eventually('its message is handed out again', () => first.got.length + second.got.length === 3);
  });

  test('what a callback throws is logged, its message goes back, and everybody else goes on', async () => {
    const { link, warnings, facts } = await filled(url, queue, ['one']);
    let thrown = 0;
    const got: Delivery[] = [];
    const kept = link.keepConsuming({
      what: 'the consumer of a test',
      prefetch: 10,
      setup: (channel) => channel.consume(queue, { consumerTag: 'test' }),
      onDelivery: (delivery) => {
        if (thrown++ === 0) throw new Error('a mistake of the driver');
        got.push(delivery);
      },
      onLost: () => undefined,
    });

    await eventually('it is handed out again', () => got.length === 1);

    expect(got[0]?.message.fields.redelivered).toBe(true);
    expect(warnings.map(({ message }) => message)).toEqual([
      'the consumer of a test failed to take what the broker sent; report this',
    ]);
    expect(facts()).toEqual([]);
    await kept.close();
  });

  test('a queue deleted under a consumer: it is told, and consumes again when the queue is there again', async () => {
    const { link } = await filled(url, queue, ['one']);
    const { got, kept, lost } = await consuming(link, queue);
    const [one] = await taken(got, 1);

    await link.withChannel('delete', (channel) => channel.deleteQueue(queue));
    await eventually('the loss is told', () => lost.length === 1);
    const trouble = await eventually('setting up fails', () => kept.trouble);
    await declareQueue(link, queue);
    await link.publish(toQueue(queue, 'two'));
    kept.retryNow();
    const [, two] = await taken(got, 2);

    expect(lost).toEqual([[one]]);
    expect(trouble).toMatchObject({ code: 'not-found', replyCode: 404 });
    expect([one.ack(), two.ack()]).toEqual(['lost', 'done']);
    expect(kept.trouble).toBe(null);
  });

  test('setup may declare what is missing, so that a deleted queue comes back by itself', async () => {
    const { link } = await testLink(url);
    const got: Delivery[] = [];
    const kept = link.keepConsuming({
      what: 'the consumer of a test',
      prefetch: 1,
      setup: async (channel) => {
        await channel.raw.assertQueue(queue, { durable: true });
        await channel.consume(queue, { consumerTag: 'test' });
      },
      onDelivery: (delivery) => void got.push(delivery),
      onLost: () => undefined,
    });
    const first = await kept.ready();

    await link.withChannel('delete', (channel) => channel.deleteQueue(queue));
    await eventually('there is another channel', () => kept.channel !== null && kept.channel !== first);
    await link.publish(toQueue(queue, 'one'));

    await taken(got, 1);
    await kept.close();
  });

  test('a consumer is refused as the broker refuses it, and kept all the same', async () => {
    const { link } = await testLink(url);
    const { kept } = keep(link, `${queue}.missing`);

    await expect(kept.ready()).rejects.toMatchObject({ code: 'not-found', replyCode: 404, retryable: false });
    expect(kept.channel).toBe(null);
    await kept.close();
    await expect(kept.ready()).rejects.toMatchObject({ code: 'closed' });
  });

  test('closing gives back what is in hand, in its old order, and what was acked before is gone', async () => {
    const { link } = await filled(url, queue, ['one', 'two', 'three', 'four']);
    const { got, kept, lost } = await consuming(link, queue, { prefetch: 3 });
    const [one, two] = await taken(got, 3);
    two.ack();
    await kept.close();

    // Nobody was told: whoever closes knows.
    expect(lost).toEqual([]);
    expect(one.ack()).toBe('lost');
    expect(await drain(link, queue)).toEqual(['one', 'three', 'four']);
  });

  test('a cancelled consumer gets nothing more and settles what it has', async () => {
    const { link } = await filled(url, queue, ['one', 'two']);
    const { got, kept } = await consuming(link, queue, { prefetch: 1 });
    const [one] = await taken(got, 1);

    await kept.channel?.cancel('test');
    one.ack();
    await kept.close();

    expect(got).toHaveLength(1);
    expect(await drain(link, queue)).toEqual(['two']);
  });

  test('a prefetch is never exceeded', async () => {
    const { link } = await filled(url, queue, ['one', 'two', 'three', 'four', 'five']);
    const { got, kept } = await consuming(link, queue, { prefetch: 2 });
    await taken(got, 2);

    // An answer of the broker on the same channel: all that it was going to send before has come.
    await kept.channel?.raw.checkQueue(queue);
    expect(got).toHaveLength(2);

    got[0]?.ack();
    await eventually('one more came', () => got.length === 3);
    await kept.close();
  });

  test("a call on a channel of its own rejects with the broker's answer, and the next call is well", async () => {
    const { link } = await testLink(url);
    await declareQueue(link, queue);

    const differing = link.withChannel('declare it differently', (channel) =>
      channel.assertQueue(queue, { durable: false }),
    );
    await expect(differing).rejects.toMatchObject({ code: 'topology-mismatch', replyCode: 406, retryable: false });
    await expect(differing.catch((error) => error.cause)).resolves.toMatchObject({
      code: 406,
      message: expect.stringContaining("inequivalent arg 'durable'"),
    });
    await expect(link.withChannel('look', (channel) => channel.checkQueue(`${queue}.missing`))).rejects.toMatchObject({
      code: 'not-found',
      replyCode: 404,
      outcomeUnknown: false,
    });
    await expect(link.withChannel('look', (channel) => channel.checkQueue(queue))).resolves.toMatchObject({ queue });
  });

  test('a mistake in what a call does is its own error, and its channel is closed', async () => {
    const { link } = await filled(url, queue, ['one']);
    const mistake = new TypeError('a mistake of the driver');

    const failing = link.withChannel('get', async (channel) => {
      await channel.get(queue);
      throw mistake;
    });

    await expect(failing).rejects.toBe(mistake);
    // What it had in hand went back with its channel.
    expect(await drain(link, queue)).toEqual(['one']);
  });

  test('a call that is never answered ends in time, with an unknown outcome', async () => {
    const { link } = await testLink(proxy.url(), { callDeadlineMs: 400 });
    await declareQueue(link, queue);

    const call = link.withChannel('look', async (channel) => {
      proxy.pause('fromServer');
      await channel.checkQueue(queue);
    });

    await expect(call).rejects.toMatchObject({ code: 'timeout', retryable: true, outcomeUnknown: true });
    proxy.resume();
    await eventually('calls are answered again', () =>
      link
        .withChannel('look', (channel) => channel.checkQueue(queue))
        .then(
          () => true,
          () => false,
        ),
    );
  });

  test('a call whose connection is cut has an unknown outcome, and says why', async () => {
    const { link } = await testLink(proxy.url());
    await declareQueue(link, queue);

    const call = link.withChannel('look', async (channel) => {
      proxy.pause('fromServer');
      const answer = channel.checkQueue(queue);
      proxy.cut();
      await answer;
    });

    await expect(call).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
      outcomeUnknown: true,
      cause: { code: 'ECONNRESET' },
    });
    proxy.resume();
  });

  async function filled(
    through: string,
    name: string,
    texts: readonly string[],
  ): Promise<Awaited<ReturnType<typeof testLink>>> {
    const made = await testLink(through);
    await declareQueue(made.link, name);
    for (const text of texts) await made.link.publish(toQueue(name, text));
    return made;
  }
});

interface Kept {
  readonly kept: KeptConsumer;
  readonly got: Delivery[];
  readonly lost: (readonly Delivery[])[];
}

function keep(link: Link, queue: string, options: Partial<KeptOptions> = {}, consumerTag = 'test'): Kept {
  const got: Delivery[] = [];
  const lost: (readonly Delivery[])[] = [];
  const kept = link.keepConsuming({
    what: `the consumer of ${queue}`,
    prefetch: 10,
    setup: (channel) => channel.consume(queue, { consumerTag }),
    onDelivery: (delivery) => void got.push(delivery),
    onLost: (unsettled) => void lost.push(unsettled),
    ...options,
  });
  return { kept, got, lost };
}

async function consuming(...args: Parameters<typeof keep>): Promise<Kept> {
  const made = keep(...args);
  await made.kept.ready();
  return made;
}

/** The first deliveries, as soon as there are that many. */
async function taken(got: readonly Delivery[], count: number): Promise<readonly [Delivery, Delivery]> {
  await eventually(`${count} were handed out`, () => got.length >= count);
  return got as unknown as readonly [Delivery, Delivery];
}
