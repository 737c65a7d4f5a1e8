// The proxy of the tests is a test's tool: what it promises is tested here, on a server that echoes.
import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type TcpProxy, tcpProxy } from './tcp-proxy.js';

let echo: Server;
let served: Socket[];
let proxy: TcpProxy;

beforeEach(async () => {
  served = [];
  echo = createServer((socket) => {
    served.push(socket);
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  proxy = await tcpProxy(`amqp://guest:secret@127.0.0.1:${(echo.address() as AddressInfo).port}/place`);
});

afterEach(async () => {
  await proxy.close();
  for (const socket of served) socket.destroy();
  echo.close();
});

test('carries bytes both ways, and counts its connections', async () => {
  const client = await dial();

  client.write('hello');

  await expect.poll(client.received).toBe('hello');
  expect(proxy.connections).toBe(1);
  client.end();
  await expect.poll(() => proxy.connections).toBe(0);
  expect(client.ended()).toBe('end');
});

test('its URL differs in host and port only', () => {
  expect(proxy.url()).toBe(`amqp://guest:secret@127.0.0.1:${proxy.port}/place`);
  expect(proxy.url('amqp://guest@other:1/there?x=1')).toBe(`amqp://guest@127.0.0.1:${proxy.port}/there?x=1`);
});

test('cut resets what is there, and accepts what comes', async () => {
  const client = await dial();
  client.write('a');
  await expect.poll(client.received).toBe('a');

  proxy.cut();

  await expect.poll(client.ended).toBe('ECONNRESET');
  await expect.poll(() => served[0]?.destroyed).toBe(true);
  const next = await dial();
  next.write('b');
  await expect.poll(next.received).toBe('b');
});

test('half-open swallows both ways and closes nothing; resume resets who lost bytes', async () => {
  const [client, silent] = [await dial(), await dial()];
  await expect.poll(() => served.length).toBe(2);

  proxy.halfOpen();
  client.write('lost');
  await settled();

  expect(client.received()).toBe('');
  expect(client.ended()).toBeNull();
  proxy.resume();
  await expect.poll(client.ended).toBe('ECONNRESET');
  silent.write('kept');
  await expect.poll(silent.received).toBe('kept');
});

test('half-open takes new connections too, which hear nothing', async () => {
  proxy.halfOpen();

  const client = await dial();
  client.write('hello?');
  await settled();

  expect(client.received()).toBe('');
  expect(client.ended()).toBeNull();
});

test.each(['fromClient', 'fromServer'] as const)('a pause %s loses nothing', async (direction) => {
  const client = await dial();
  const atServer = vi.fn();
  await expect.poll(() => served.length).toBe(1);
  served[0]?.on('data', atServer);

  proxy.pause(direction);
  client.write('later');
  await settled();

  expect(client.received()).toBe('');
  expect(atServer).toHaveBeenCalledTimes(direction === 'fromClient' ? 0 : 1);
  proxy.resume();
  await expect.poll(client.received).toBe('later');
});

test('a pause is felt by the sender once the buffers are full', async () => {
  const client = await dial();
  proxy.pause('fromClient');

  const sentBytes = 64 * 2 ** 20;
  client.write(Buffer.alloc(sentBytes));
  await settled();

  expect(client.unsentBytes()).toBeGreaterThan(0);
  proxy.resume();
  await expect.poll(client.receivedBytes, { timeout: 15_000 }).toBe(sentBytes);
});

test('latency delays every byte but not one behind the other', async () => {
  const client = await dial();
  proxy.slow({ latencyMs: 200 });

  const sentAt = performance.now();
  for (let part = 0; part < 10; part++) {
    client.write(String(part));
    await settled(20);
  }

  await expect.poll(client.received).toBe('0123456789');
  const tookMs = performance.now() - sentAt;
  expect(client.firstByteAt() - sentAt).toBeGreaterThanOrEqual(399);
  // One behind the other it would have been ten times 400 ms.
  expect(tookMs).toBeLessThan(3_000);
});

test('a rate limits bytes per second', async () => {
  const client = await dial();
  proxy.slow({ bytesPerSecond: 200_000 });

  const sentAt = performance.now();
  client.write(Buffer.alloc(100_000));

  await expect.poll(client.receivedBytes, { timeout: 10_000 }).toBe(100_000);
  expect(performance.now() - sentAt).toBeGreaterThan(450);
});

test('refuses and listens again on the same port; connections stay', async () => {
  const client = await dial();
  await expect.poll(() => served.length).toBe(1);
  const { port } = proxy;

  await proxy.refuse();

  await expect(dial()).rejects.toThrow('ECONNREFUSED');
  client.write('still here');
  await expect.poll(client.received).toBe('still here');
  await proxy.listen();
  expect(proxy.port).toBe(port);
  await dial();
});

test('a server that is gone is a reset', async () => {
  await new Promise((resolve) => echo.close(resolve));

  const client = await dial();

  await expect.poll(client.ended).toBe('ECONNRESET');
});

async function dial() {
  const socket = createConnection({ host: '127.0.0.1', port: proxy.port });
  let [text, bytes, firstByteAt] = ['', 0, 0];
  let ended: string | null = null;
  socket.on('data', (chunk: Buffer) => {
    firstByteAt ||= performance.now();
    bytes += chunk.length;
    if (bytes < 1_000) text += chunk.toString();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    ended ??= error.code ?? error.message;
  });
  socket.on('end', () => {
    ended ??= 'end';
  });
  await once(socket, 'connect');
  return {
    write: (data: string | Buffer) => void socket.write(data),
    end: () => void socket.end(),
    received: () => text,
    receivedBytes: () => bytes,
    firstByteAt: () => firstByteAt,
    unsentBytes: () => socket.writableLength,
    ended: () => ended,
  };
}

/** That nothing arrives can only be told by waiting: what is wrongly let through takes less than 1 ms on the loopback. */
const settled = (ms = 100): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
