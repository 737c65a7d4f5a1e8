import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LinkError } from '../../../src/queue/amqp/connection/index.js';
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

  test('a message is confirmed when it is stored', async () => {
    const { link } = await testLink(url);
    await declareQueue(link, queue, 'quorum');

    await link.publish(toQueue(queue, 'one'));

    expect(await drain(link, queue)).toEqual(['one']);
  });

  test('messages are stored in the order of the calls, also when the socket is full meanwhile', async () => {
    const { link } = await testLink(url);
    await declareQueue(link, queue);
    // 40 MB at once: many times what channel and socket take before they ask to wait.
    const texts = Array.from({ length: 400 }, (_, i) => `${i}:${'x'.repeat(100_000)}`);

    await Promise.all(texts.map((text, i) => link.publish(toQueue(queue, text, String(i)))));

    expect((await drain(link, queue)).map((text) => Number.parseInt(text, 10))).toEqual(texts.map((_, i) => i));
  }, 60_000);

  test('a message that leads to no queue is unroutable, those around it are not', async () => {
    const { link } = await testLink(url);
    await declareQueue(link, queue);

    const results = await Promise.allSettled([
      link.publish(toQueue(queue, 'one')),
      link.publish(toQueue(`${queue}.gone`, 'one')),
      link.publish(toQueue(queue, 'two')),
      // Same id and body: only the queue tells them apart.
      link.publish(toQueue(`${queue}.gone`, 'two')),
      link.publish({ ...toQueue(`${queue}.gone`, 'three'), properties: {} }),
    ]);

    expect(results.map(codeOf)).toEqual([null, 'unroutable', null, 'unroutable', 'unroutable']);
    expect(results[1]).toMatchObject({ reason: { replyCode: 312, retryable: false, outcomeUnknown: false } });
    expect(await drain(link, queue)).toEqual(['one', 'two']);
  });

  test('a message that a full queue refuses is told so, and may be tried again', async () => {
    const { link } = await testLink(url);
    await declareQueue(link, queue, 'classic', { 'x-max-length': 1, 'x-overflow': 'reject-publish' });
    await link.publish(toQueue(queue, 'one'));

    const refused = await Promise.allSettled([link.publish(toQueue(queue, 'two'))]);
    await drain(link, queue);
    await link.publish(toQueue(queue, 'three'));

    expect(refused[0]).toMatchObject({ reason: { code: 'resource-exhausted', retryable: true } });
    expect(await drain(link, queue)).toEqual(['three']);
  });

  test('a channel that the broker closes while much is written to it costs no connection', async () => {
    const { link, events } = await testLink(url);
    await declareQueue(link, queue);
    const missing = { ...toQueue(queue, 'x'), exchange: `${queue}.missing` };

    for (let round = 0; round < 5; round++) {
      await Promise.allSettled(Array.from({ length: 1_000 }, () => link.publish(missing)));
      await link.publish(toQueue(queue, String(round)));
    }

    expect(events.map(({ type }) => type)).not.toContain('disconnected');
    expect(await drain(link, queue)).toHaveLength(5);
  });

  test('a missing exchange blames the messages that were sent to it; for the rest, the outcome is unknown and they may be sent again', async () => {
    const { link } = await testLink(url);
    await declareQueue(link, queue);

    const results = await Promise.allSettled([
      link.publish(toQueue(queue, 'one')),
      link.publish({ ...toQueue('key', 'two'), exchange: `${queue}.gone` }),
      link.publish(toQueue(queue, 'three')),
    ]);
    // By itself, over a new channel.
    await link.publish(toQueue(queue, 'four'));

    expect(results[1]).toMatchObject({ reason: { code: 'not-found', retryable: false, replyCode: 404 } });
    for (const innocent of [results[0], results[2]]) {
      if (innocent?.status === 'rejected') {
        expect(innocent.reason).toMatchObject({ code: 'unavailable', retryable: true, outcomeUnknown: true });
      }
    }
    const stored = await drain(link, queue);
    expect(stored.at(-1)).toBe('four');
    // What was confirmed is there, what the broker never looked at is not.
    if (results[0]?.status === 'fulfilled') expect(stored).toContain('one');
    expect(stored).not.toContain('three');
    expect(codeOf(results[2])).toBe('unavailable');
  });

  test('what the broker refuses to store as it is (406) is invalid when it was sent alone', async () => {
    const { link } = await testLink(url);
    await declareQueue(link, queue);
    const bad = { ...toQueue(queue, 'one'), properties: { expiration: 'soon' } };

    const [result] = await Promise.allSettled([link.publish(bad)]);
    await link.publish(toQueue(queue, 'two'));

    expect(result).toMatchObject({ reason: { code: 'invalid', retryable: false, replyCode: 406 } });
    expect(await drain(link, queue)).toEqual(['two']);
  });

  test('what cannot be put into frames says why, and disturbs nobody', async () => {
    const { link } = await testLink(url);
    await declareQueue(link, queue);

    const results = await Promise.allSettled([
      link.publish(toQueue(queue, 'one')),
      link.publish({ ...toQueue(queue, 'two'), properties: { headers: { long: 'x'.repeat(140_000) } } }),
      link.publish({ ...toQueue(queue, 'three'), properties: { messageId: 'x'.repeat(300) } }),
      link.publish(toQueue(queue, 'four')),
    ]);

    expect(results.map(codeOf)).toEqual([null, 'payload-too-large', 'invalid', null]);
    expect(results[1]).toMatchObject({
      reason: {
        message: expect.stringMatching(/headers and properties take 140\d{3} bytes, and the broker's frames 131072$/),
      },
    });
    expect(results[2]).toMatchObject({ reason: { message: expect.stringMatching(/300 bytes, and AMQP takes 255/) } });
    expect(await drain(link, queue)).toEqual(['one', 'four']);
  });

  test('a reset connection leaves what was in flight unknown, and nothing else', async () => {
    const { link, facts } = await testLink(proxy.url());
    await declareQueue(link, queue);
    proxy.pause('fromServer');
    const inFlight = Promise.allSettled(texts(200).map((text) => link.publish(toQueue(queue, text))));
    const { link: witness } = await testLink(url);
    await eventually('the broker has some of it', async () => (await count(witness, queue)) > 0);

    proxy.cut();
    const results = await inFlight;
    proxy.resume();
    await link.publish(toQueue(queue, 'after'));

    for (const result of results) {
      expect(result).toMatchObject({ reason: { code: 'unavailable', retryable: true, outcomeUnknown: true } });
    }
    expect((await drain(link, queue)).at(-1)).toBe('after');
    expect(facts()).toEqual(['disconnected', 'connected']);
  });

  test('publishing while there is no connection waits for one', async () => {
    const { link, facts } = await testLink(proxy.url());
    await declareQueue(link, queue);
    await proxy.refuse();
    proxy.cut();
    await eventually('the loss is noticed', () => !link.connected);

    const published = Promise.all(texts(20).map((text) => link.publish(toQueue(queue, text))));
    await proxy.listen();
    await published;

    expect(await drain(link, queue)).toEqual(texts(20));
    expect(facts()).toEqual(['disconnected', 'connected']);
  });

  test('what could not be written until its deadline is told so: not sent, try again', async () => {
    const { link } = await testLink(proxy.url(), { publishDeadlineMs: 300 });
    await declareQueue(link, queue);
    await proxy.refuse();
    proxy.cut();
    await eventually('the loss is noticed', () => !link.connected);

    const [result] = await Promise.allSettled([link.publish(toQueue(queue, 'one'))]);
    await proxy.listen();
    await eventually('the connection is back', () => link.connected);
    await link.publish(toQueue(queue, 'two'));

    expect(result).toMatchObject({ reason: { code: 'unavailable', retryable: true, outcomeUnknown: false } });
    expect(await drain(link, queue)).toEqual(['two']);
  });

  test('a confirm that does not come in time leaves the outcome unknown, and publishing goes on over a new channel', async () => {
    const { link, warnings } = await testLink(proxy.url(), { publishDeadlineMs: 500 });
    await declareQueue(link, queue);
    proxy.pause('fromServer');

    const [result] = await Promise.allSettled([link.publish(toQueue(queue, 'one'))]);
    proxy.resume();
    await eventually('there is a new channel', () =>
      link.publish(toQueue(queue, 'two')).then(
        () => true,
        () => false,
      ),
    );

    expect(result).toMatchObject({ reason: { code: 'timeout', retryable: true, outcomeUnknown: true } });
    expect(warnings.map(({ message }) => message).join()).toContain('not confirmed in time');
    const stored = await drain(link, queue);
    expect([stored[0], stored.at(-1)]).toEqual(['one', 'two']);
  });

  test('a half-open connection is noticed by its heartbeats, and given up', async () => {
    const { link, events } = await testLink(`${proxy.url()}?heartbeat=1`);
    await declareQueue(link, queue);
    proxy.halfOpen();

    const [result] = await Promise.allSettled([link.publish(toQueue(queue, 'one'))]);
    proxy.resume();
    await link.publish(toQueue(queue, 'two'));

    expect(result).toMatchObject({ reason: { code: 'unavailable', retryable: true, outcomeUnknown: true } });
    expect(events[0]).toMatchObject({ type: 'disconnected' });
    expect(await drain(link, queue)).toEqual(['two']);
  });

  test('closing answers what waits, and lets come what is under way', async () => {
    const { link } = await testLink(url);
    await declareQueue(link, queue);
    const under = texts(50).map((text) => link.publish(toQueue(queue, text)));

    await link.close();
    const late = await Promise.allSettled([link.publish(toQueue(queue, 'late'))]);

    await Promise.all(under);
    expect(late.map(codeOf)).toEqual(['closed']);
    const { link: witness } = await testLink(url);
    expect(await drain(witness, queue)).toEqual(texts(50));
  });
});

function texts(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `text ${i}`);
}

async function count(link: Awaited<ReturnType<typeof testLink>>['link'], queue: string): Promise<number> {
  return link.withChannel('count', async (channel) => (await channel.checkQueue(queue)).messageCount);
}

function codeOf(result: PromiseSettledResult<void> | undefined): string | null {
  if (result?.status !== 'rejected') return null;
  return result.reason instanceof LinkError ? result.reason.code : String(result.reason);
}
