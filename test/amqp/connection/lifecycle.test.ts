import { randomUUID } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { Link, settingsFromParts, settingsFromUrl } from '../../../src/queue/amqp/connection/index.js';
import { type Clock, systemClock } from '../../../src/queue/driver.js';
import { describeServers, type TcpProxy, tcpProxy } from '../../servers/index.js';
import { resources } from '../resources.js';
import { eventually } from './eventually.js';
import { declareQueue, drain, testLink, toQueue, unopenedLink } from './test-link.js';

/** Does not let a test wait for back-off, which grows to 2 s when connections are lost again and again. */
const hasty: Clock = {
  now: () => systemClock.now(),
  schedule: (callback, delayMs) => systemClock.schedule(callback, delayMs / 20),
};

test('a port where nobody listens is unavailable, and may be tried again', async () => {
  const { link } = unopenedLink(`amqp://guest:guest@127.0.0.1:${await unusedPort()}`);

  await expect(link.open()).rejects.toMatchObject({
    code: 'unavailable',
    retryable: true,
    outcomeUnknown: false,
    cause: { code: 'ECONNREFUSED' },
  });
});

test('a host that accepts and never answers is given up at the deadline', async () => {
  const silent = createServer(() => undefined);
  silent.listen(0, '127.0.0.1');
  await eventually('it listens', () => silent.listening);
  const { link } = unopenedLink(
    `amqp://guest:guest@127.0.0.1:${(silent.address() as AddressInfo).port}?connection_timeout=300`,
  );

  await expect(link.open()).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('within 300 ms'),
  });
  silent.close();
});

test('closing ends an attempt to connect at once', async () => {
  const silent = createServer(() => undefined);
  silent.listen(0, '127.0.0.1');
  await eventually('it listens', () => silent.listening);
  const { link } = unopenedLink(`amqp://guest:guest@127.0.0.1:${(silent.address() as AddressInfo).port}`);
  const opening = link.open().catch((error: unknown) => error);
  const before = Date.now();

  await link.close();

  expect(await opening).toMatchObject({ code: expect.stringMatching(/closed|unavailable/) });
  expect(Date.now() - before).toBeLessThan(5_000);
  silent.close();
});

test('a password file that is missing is named when the connection is opened', async () => {
  const link = new Link(settingsFromParts({ username: 'u', passwordFile: '/no/such/password' }), {
    name: 'test',
    logger: { info: () => undefined, warn: () => undefined },
    emit: () => undefined,
  });

  await expect(link.open()).rejects.toMatchObject({
    name: 'Refusal',
    code: 'invalid',
    message: expect.stringContaining('"/no/such/password"'),
  });
});

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

  test('50 reconnects leave no listener, timer or socket behind', async () => {
    const { link, facts } = await testLink(proxy.url(), { clock: hasty });
    await declareQueue(link, queue);
    const kept = link.keepConsuming({
      what: 'the consumer of a test',
      prefetch: 10,
      setup: (channel) => channel.consume(queue, { consumerTag: 'test' }),
      onDelivery: (delivery) => void delivery.ack(),
      onLost: () => undefined,
    });
    const reconnect = async (times: number): Promise<Record<string, number>> => {
      for (let i = 0; i < times; i++) {
        const before = await kept.ready();
        proxy.cut();
        await eventually('it consumes again', () => kept.channel !== null && kept.channel !== before);
        await link.publish(toQueue(queue, `after ${i}`));
      }
      await eventually('old connections are gone', () => proxy.connections === 2);
      return resources();
    };
    const few = await reconnect(3);

    const many = await reconnect(50);

    expect(many).toEqual(few);
    expect(facts()).toHaveLength(2 * 53);
    const raw = kept.channel?.raw;
    expect(raw?.eventNames().map((name) => [name, raw.listenerCount(name)])).toEqual([
      ['ack', 1],
      ['nack', 1],
      ['close', 2],
      ['delivery', 1],
      ['cancel', 1],
      ['error', 1],
    ]);
    await kept.close();
  }, 60_000);

  test('after close there is no socket and no timer, whatever was going on', async () => {
    const before = resources();
    const { link } = await testLink(url);
    await declareQueue(link, queue);
    const kept = link.keepConsuming({
      what: 'the consumer of a test',
      prefetch: 10,
      setup: (channel) => channel.consume(queue, { consumerTag: 'test' }),
      onDelivery: () => undefined,
      onLost: () => undefined,
    });
    await kept.ready();
    const missing = link.keepConsuming({
      what: 'the consumer of a missing queue',
      prefetch: 10,
      setup: (channel) => channel.consume(`${queue}.missing`, { consumerTag: 'test' }),
      onDelivery: () => undefined,
      onLost: () => undefined,
    });
    await missing.ready().catch(() => undefined);
    await link.publish(toQueue(queue, 'one'));

    await Promise.all([link.close(), link.close()]);

    await eventually('nothing is left', () => Object.keys(more(before, resources())).length === 0);
    await expect(link.publish(toQueue(queue, 'two'))).rejects.toMatchObject({ code: 'closed' });
    await expect(link.withChannel('look', async () => 1)).rejects.toMatchObject({ code: 'closed' });
    expect([link.connected, link.blocked]).toEqual([false, null]);
    const { link: witness } = await testLink(url);
    // It had not been acked.
    expect(await drain(witness, queue)).toEqual(['one']);
  });

  test('a connection that was found half-open leaves no socket, though nobody ever answers on it', async () => {
    let dead = false;
    // Not the proxy: it resets the client's side when the broker resets its own, as a black hole does not.
    const blackHole = createServer({ allowHalfOpen: true }, (client) => {
      const broker = connect(server().port, server().host);
      client.on('data', (bytes) => void (dead || broker.write(bytes))).on('error', () => undefined);
      broker.on('data', (bytes) => void (dead || client.write(bytes))).on('error', () => undefined);
      onTestFinished(() => void [client, broker].map((socket) => socket.destroy()));
    });
    blackHole.listen(0, '127.0.0.1');
    await eventually('it listens', () => blackHole.listening);
    const { port } = blackHole.address() as AddressInfo;
    const sockets: Socket[] = [];
    const note = (message: unknown): void => void sockets.push((message as { readonly socket: Socket }).socket);
    subscribe('net.client.socket', note);
    const { link } = await testLink(`${url.replace(/@[^/]*/, `@127.0.0.1:${port}`)}?heartbeat=1`);
    unsubscribe('net.client.socket', note);
    // The black hole has two of its own among them, to the broker.
    const ours = sockets.filter(({ remotePort }) => remotePort === port);

    blackHole.close();
    dead = true;
    await eventually('the loss is noticed', () => !link.connected);

    expect(ours).toHaveLength(2);
    await eventually('both are gone', () => ours.every(({ destroyed }) => destroyed));
  });

  test('closing while the broker is away, or swallows everything, does not wait for it', async () => {
    const { link, facts } = await testLink(proxy.url());
    const { link: other } = await testLink(proxy.url());
    await proxy.refuse();
    proxy.cut();
    await eventually('the losses are noticed', () => !link.connected && !other.connected);
    const waiting = Promise.allSettled([link.withChannel('look', async () => 1), link.publish(toQueue(queue, 'one'))]);

    const before = Date.now();
    await link.close();
    const awayMs = Date.now() - before;
    await proxy.listen();
    await eventually('the other one is back', () => other.connected);
    proxy.halfOpen();
    const halfOpenAt = Date.now();
    await other.close();

    expect(awayMs).toBeLessThan(1_000);
    expect(await waiting).toMatchObject([{ reason: { code: 'closed' } }, { reason: { code: 'closed' } }]);
    expect(facts()).toEqual(['disconnected']);
    // The good-bye is waited for, but not for long.
    expect(Date.now() - halfOpenAt).toBeLessThan(10_000);
  });

  test('of several hosts the next one is taken, and the one that worked is tried first afterwards', async () => {
    const dead = await unusedPort();
    const { settings } = settingsFromUrl(proxy.url());
    const [alive] = settings.hosts;
    const { link, warnings, facts } = await testLink(
      `amqp://guest:guest@127.0.0.1:${dead},127.0.0.1:${alive?.port}/?heartbeat=5`,
    );
    const triedInVain = warnings.length;
    await declareQueue(link, queue);

    proxy.cut();
    await eventually('it is back', () => facts().length === 2);
    await link.publish(toQueue(queue, 'one'));

    expect(triedInVain).toBe(1);
    expect(warnings[0]?.fields).toMatchObject({ host: `127.0.0.1:${dead}` });
    expect(warnings).toHaveLength(1);
  });

  test('each fact about the connections is told once, though there are two', async () => {
    const { link, events } = await testLink(proxy.url(), { random: () => 0 });
    await proxy.refuse();
    proxy.cut();
    await eventually('it was tried three times', () => events.length >= 4);
    await proxy.listen();
    await eventually('it is back', () => link.connected);

    const [first, ...tries] = events;
    const last = tries.pop();
    expect(first).toMatchObject({ type: 'disconnected', cause: { code: 'ECONNRESET' } });
    expect(tries.slice(0, 3)).toEqual([
      { type: 'reconnecting', attempt: 1, delayMs: 100 },
      { type: 'reconnecting', attempt: 2, delayMs: 200 },
      { type: 'reconnecting', attempt: 3, delayMs: 400 },
    ]);
    expect(tries.every(({ type }) => type === 'reconnecting')).toBe(true);
    expect(last).toEqual({ type: 'connected' });
  });

  test('a listener that throws disturbs nobody', async () => {
    const { link, warnings } = await testLink(proxy.url(), {
      emit: () => {
        throw new Error('a mistake of the host');
      },
    });
    proxy.cut();
    await eventually('the loss is noticed', () => warnings.length > 0);
    await eventually('it is back', () => link.connected);

    expect(warnings.map(({ message }) => message)).toContain('a listener of "disconnected" threw; report this');
  });

  test('it is opened once', async () => {
    const { link } = await testLink(url);

    await expect(link.open()).rejects.toMatchObject({ name: 'Refusal', code: 'invalid' });
    expect(link.connected).toBe(true);
    expect(link.broker?.product).toBe('RabbitMQ');
    expect(server().version).toContain(link.broker?.version);
  });
});

/** Of what there is more than before. */
function more(before: Record<string, number>, now: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(now).filter(([kind, count]) => count > (before[kind] ?? 0)));
}

async function unusedPort(): Promise<number> {
  const taken = createServer();
  taken.listen(0, '127.0.0.1');
  await eventually('it listens', () => taken.listening);
  const { port } = taken.address() as AddressInfo;
  await new Promise((resolve) => taken.close(resolve));
  return port;
}
