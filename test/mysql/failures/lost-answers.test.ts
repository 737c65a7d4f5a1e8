// A connection that ends after the server has committed and before it could say so: only a proxy between the two can make it.
import { expect, test } from 'vitest';
import { describeServers, type TcpProxy, tcpProxy } from '../../servers/index.js';
import { eventually, soon } from '../eventually.js';
import { Gate, jobTopic, openProcess } from './jobs.js';
import { RawConnection } from './raw-connection.js';

await describeServers(['mariadb', 'mysql'], (_, server) => {
  /**
   * From now on answers take long; when `tookEffect` says so, which asks the server past the proxy, the connections end
   * with the last answers still on their way. New connections work.
   */
  async function loseAnswers(proxy: TcpProxy, what: string, tookEffect: () => Promise<boolean>): Promise<void> {
    await eventually(what, tookEffect);
    proxy.cut();
    proxy.resume();
  }
  const slowness = { latencyMs: 400 };

  test.concurrent.each([
    ['a message', {}],
    ['a message with a key', { key: 'k' }],
    ['a message with an idempotency key', { idempotencyKey: 'once' }],
  ])('%s whose publishing was committed and not answered is stored once, and no duplicate', async (_what, options) => {
    const url = await server().freshUrl();
    const topic = jobTopic({ ordering: 'key', groups: { one: {}, other: {} } });
    await using proxy = await tcpProxy(url);
    await using raw = await RawConnection.open(url);
    await using queue = await openProcess(topic, { url: proxy.url() });

    proxy.slow(slowness);
    const published = queue.publish(topic, { n: 1 }, options);
    await loseAnswers(proxy, 'it is stored', async () => (await raw.messages()) === 2);

    expect(await soon('it is answered', published)).toMatchObject({ groups: 2, duplicate: false });
    await queue.publish(topic, { n: 2 }, { key: 'k' });
    expect(await raw.messages()).toBe(4);
    const received: number[] = [];
    await queue.consume(topic, ({ message: { body } }) => received.push(body.n), { group: 'one' });
    await eventually('the next one arrives', () => received.includes(2));
    expect(received).toEqual([1, 2]);
  });

  test.concurrent('a batch whose publishing was committed and not answered is stored once', async () => {
    const url = await server().freshUrl();
    const topic = jobTopic();
    await using proxy = await tcpProxy(url);
    await using raw = await RawConnection.open(url);
    await using queue = await openProcess(topic, { url: proxy.url() });
    const bodies = Array.from({ length: 50 }, (_, n) => ({ body: { n } }));

    proxy.slow(slowness);
    const published = queue.publishBatch(topic, bodies);
    await loseAnswers(proxy, 'it is stored', async () => (await raw.messages()) === 50);

    expect((await soon('it is answered', published)).map(({ status }) => status)).toEqual(
      bodies.map(() => 'published'),
    );
    expect(await raw.messages()).toBe(50);
  });

  test.concurrent("a claim that was committed and not answered is nobody's: its messages come at once, as for the first time", async () => {
    const url = await server().freshUrl();
    const topic = jobTopic();
    await using proxy = await tcpProxy(url);
    await using raw = await RawConnection.open(url);
    await using publisher = await openProcess(topic, { url });
    // An hour: it is not the end of the lease that brings them back.
    await using reader = await openProcess(topic, { url: proxy.url(), leaseMs: 3_600_000 });
    const received: { n: number; redeliveries: number; attempt: number }[] = [];
    await reader.consume(topic, ({ message: { body }, redeliveries, attempt }) =>
      received.push({ n: body.n, redeliveries, attempt }),
    );
    // The answer to the commit is on its way for so long after it has taken effect.
    proxy.slow(slowness);
    await publisher.publish(topic, { n: 1 });

    await loseAnswers(proxy, 'it is claimed', async () => {
      const [row] = await raw.rows('select stage from signalbox_messages');
      return Number(row?.stage) === 1;
    });
    expect(received).toEqual([]);

    await eventually('it arrives', () => received.length > 0, 5_000);
    expect(received).toEqual([{ n: 1, redeliveries: 0, attempt: 1 }]);
    await eventually('it is settled', async () => (await raw.messages()) === 0);
  });

  test.concurrent('a claim that was committed and not answered is not kept by a process that closes: others have its messages at once', async () => {
    const url = await server().freshUrl();
    const topic = jobTopic();
    await using proxy = await tcpProxy(url);
    await using raw = await RawConnection.open(url);
    await using other = await openProcess(topic, { url, leaseMs: 3_600_000 });
    const reader = await openProcess(topic, { url: proxy.url(), leaseMs: 3_600_000 });
    await reader.consume(topic, () => new Promise(() => {}));
    proxy.slow(slowness);
    await other.publish(topic, { n: 1 });
    await loseAnswers(proxy, 'it is claimed', async () => {
      const [row] = await raw.rows('select stage from signalbox_messages');
      return Number(row?.stage) === 1;
    });

    await soon('the reader is closed', reader.close({ deadlineMs: 0 }), 10_000);
    const received: number[] = [];
    await other.consume(topic, ({ message: { body } }) => received.push(body.n));

    await eventually('it arrives', () => received.length > 0, 5_000);
    expect(received).toEqual([1]);
  });

  test.concurrent.each([
    ['one', 1],
    ['several', 5],
  ])(
    'acks (%s) that were committed and not answered are unknown, never a false lease-lost, and nothing comes again',
    async (_what, count) => {
      const url = await server().freshUrl();
      const topic = jobTopic();
      await using proxy = await tcpProxy(url);
      await using raw = await RawConnection.open(url);
      await using queue = await openProcess(topic, { url: proxy.url() });
      const together = new Gate();
      const outcomes: unknown[] = [];
      let handed = 0;
      await queue.consume(topic, async (delivery) => {
        handed++;
        await together.opened;
        outcomes.push(await delivery.ack().catch((error: unknown) => error));
      });
      await queue.publishBatch(
        topic,
        Array.from({ length: count }, (_, n) => ({ body: { n } })),
      );
      await eventually('all are in hand', () => handed === count);

      proxy.slow(slowness);
      together.open();
      await loseAnswers(proxy, 'they are settled', async () => (await raw.messages()) === 0);

      await eventually('the acks end', () => outcomes.length === count);
      for (const outcome of outcomes)
        expect(outcome).toMatchObject({ code: 'unavailable', outcomeUnknown: true, retryable: false });
      await queue.publish(topic, { n: 100 });
      await eventually('the next one arrives', () => handed > count);
      expect(handed).toBe(count + 1);
    },
  );

  test.concurrent('an ack that never reached the server is repeated, and done', async () => {
    const url = await server().freshUrl();
    const topic = jobTopic();
    await using proxy = await tcpProxy(url);
    await using raw = await RawConnection.open(url);
    await using queue = await openProcess(topic, { url: proxy.url() });
    const [inHand, goOn] = [new Gate(), new Gate()];
    const outcomes: unknown[] = [];
    await queue.consume(topic, async (delivery) => {
      inHand.open();
      await goOn.opened;
      outcomes.push(await delivery.ack().then(() => 'done'));
    });
    await queue.publish(topic, { n: 1 });
    await inHand.opened;

    proxy.pause('fromClient');
    goOn.open();
    proxy.cut();
    proxy.resume();

    await eventually('it is acked', () => outcomes.length > 0);
    expect(outcomes).toEqual(['done']);
    expect(await raw.messages()).toBe(0);
  });
});
