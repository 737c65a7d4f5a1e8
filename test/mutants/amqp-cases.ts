import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'amqplib';
import type { amqp } from 'signalbox/amqp';
import type { Death, Driver, Received, Send, Settlement } from '../../src/queue/driver.js';
import { eventually } from '../mysql/eventually.js';
import { type Server, tcpProxy } from '../servers/index.js';

/** Makes a driver of the code under test: the sources, or a changed copy of them. */
export type Make = typeof amqp;

const queue = 'signalbox.q.cases.default';

/** What the suite cannot show, since it knows no queues of a broker, and cannot refuse a driver's own copies. */
export const amqpCases: Readonly<Record<string, (make: Make, url: string, server: Server) => Promise<void>>> = {
  'a-delay-that-ends-while-there-is-nowhere-to-go-waits-for-it': async (make, url) => {
    {
      await using publisher = await client(make, url);
      // Long enough that a busy machine has removed the queue before anything is in it.
      await publisher.driver.send([sendOf({ delayMs: 5_000 })]);
    }
    // Nobody drains it, and an operator has removed it.
    await raw(url, async (channel) => channel.deleteQueue('signalbox.due'));
    await pause(6_000);

    await using reader = await client(make, url);
    const later = sendOf({ delayMs: 500 });
    await reader.driver.send([later]);
    const ids = new Set<string | null>();
    const receive = async (): Promise<void> => {
      for (const { message } of await reader.receive(500)) ids.add(message.id);
    };
    await eventually('one goes the same way', () => receive().then(() => ids.has(later.message.id)), 60_000);
    // What found nowhere to go is tried again after the broker's time-out, 5 s here.
    await eventually('the first arrives too', () => receive().then(() => ids.size === 2), 20_000);
  },

  'a-release-whose-copy-is-refused-leaves-the-message-with-its-holder': async (make, url, { rabbitmqctl }) => {
    assert.ok(rabbitmqctl !== null);
    await using holder = await client(make, url, 1);
    await holder.driver.send([sendOf()]);
    const [held] = await eventually('it is in hand', async () => nonEmpty(await holder.receive(500)));
    assert.ok(held !== undefined);
    // Full, as far as whoever has nothing in hand can tell.
    await holder.driver.send(Array.from({ length: 5 }, () => sendOf()));
    const vhost = new URL(url).pathname.slice(1);
    await rabbitmqctl('set_policy', '-p', vhost, 'full', '^signalbox\\.q\\.', '{"max-length":1}');
    await eventually('it is full', async () => (await holder.driver.send([sendOf()]))[0]?.status === 'failed');

    const counts = { attempt: 2, postpones: 0, firstFailedAt: 1 };
    const [answer] = await holder.settle({ kind: 'release', receipt: held.receipt, delayMs: 0, counts });
    assert.equal(answer?.status, 'failed');
    await holder.subscription.close();
    await using next = await client(make, url, 100);
    const ids = new Set<string | null>();
    await eventually('all that was stored is there', async () => {
      for (const { message } of await next.receive(200)) ids.add(message.id);
      return ids.size >= 6;
    });
    assert.ok(ids.has(held.message.id), 'the first one is among them');
  },

  'an-ack-after-a-reconnect-acks-no-message-of-the-new-channel': async (make, url) => {
    await using proxy = await tcpProxy(url);
    await using far = await client(make, proxy.url(), 1);
    await far.driver.send([sendOf(), sendOf()]);
    const [old] = await eventually('one is in hand', async () => nonEmpty(await far.receive(500)));
    assert.ok(old !== undefined);
    proxy.cut();
    await eventually('the cut is noticed', () => !far.driver.health().connected);
    // The first on its channel again, and not settled.
    const [again] = await eventually('one is in hand again', async () => nonEmpty(await far.receive(500)));
    assert.ok(again !== undefined);

    const [answer] = await far.settle({ kind: 'ack', receipt: old.receipt, outbox: [] });
    await pause(200);
    await far.driver.close();

    const count = await eventually('nobody has any in hand', async () => {
      const messages = await raw(url, async (channel) => (await channel.checkQueue(queue)).messageCount);
      return messages > 0 ? messages : null;
    });
    assert.deepEqual([answer?.status, count], ['lost', 2]);
  },

  'a-lane-that-is-handed-over-is-with-one-reader-at-a-time-and-in-order': async (make, url) => {
    await using first = await client(make, url, 4, 'key');
    await using next = await client(make, url, 100, 'key');
    const sends = Array.from({ length: 10 }, (_, n) => sendOf({}, { key: 'k', id: `m${n}` }));
    assert.ok((await first.driver.send(sends)).every(({ status }) => status === 'stored'));
    const held: Received[] = [];
    await eventually('its prefetch is in hand', async () => {
      held.push(...(await first.receive(200)));
      return held.length === 4;
    });

    // It stops, with all of these in hand; the other one would take over.
    await first.receive(0, AbortSignal.abort());
    const taken = [...(await next.receive(700))];
    assert.equal(taken.length, 0, 'nothing of the lane is with two');
    for (const { receipt } of held) await first.settle({ kind: 'ack', receipt, outbox: [] });
    await eventually('the rest comes', async () => taken.push(...(await next.receive(500))) >= 6, 20_000);

    const order = [...held, ...taken].map(({ message }) => message.id);
    assert.deepEqual(
      order,
      sends.map(({ message }) => message.id),
    );
  },

  'letters-that-are-listed-thirty-times-are-all-there': async (make, url) => {
    await using one = await client(make, url);
    const times = { firstFailedAt: 1, lastFailedAt: 1 };
    const counts = { attempt: 1, postpones: 0, redeliveries: 0 };
    const death: Death = {
      cause: 'rejected',
      reason: 'for the test',
      error: null,
      ...counts,
      ...times,
      origin: 'a test',
    };
    const target = { kind: 'dead', group: 'default', death, expireAfterMs: null } as const;
    await one.driver.send([sendOf({ target }), sendOf({ target })]);
    const box = { kind: 'dead', topic: 'cases', group: 'default' } as const;
    for (let look = 1; look <= 30; look++) {
      const { letters } = await one.driver.admin.letters(box, { limit: 10, cursor: null });
      assert.equal(letters.length, 2, `look ${look}`);
    }
  },
};

async function client(make: Make, url: string, prefetch = 10, ordering: 'none' | 'key' = 'none') {
  const driver: Driver = make(url);
  await driver.open({ logger: { info: () => {}, warn: () => {} }, emit: () => {} });
  const topic = { name: 'cases', ordering, lanes: 1, maxRedeliveries: 20, expectedDelaysMs: [] } as const;
  await driver.declare(
    { topics: [{ ...topic, groups: [{ name: 'default', patterns: ['#'] }] }] },
    { mode: 'assert', change: false },
  );
  const subscription = await driver.subscribe({
    ...{ topic: 'cases', group: 'default', prefetch, consumer: randomUUID() },
    onLost: () => {},
  });
  return {
    driver,
    subscription,
    receive: (waitMs: number, signal = new AbortController().signal): Promise<readonly Received[]> =>
      subscription.receive(prefetch, waitMs, signal),
    settle: (settlement: Settlement) => subscription.settle([settlement]),
    [Symbol.asyncDispose]: () => driver.close(),
  };
}

function nonEmpty(received: readonly Received[]): readonly Received[] | null {
  return received.length > 0 ? received : null;
}

async function raw<T>(
  url: string,
  work: (channel: Awaited<ReturnType<Awaited<ReturnType<typeof connect>>['createChannel']>>) => Promise<T>,
): Promise<T> {
  const connection = await connect(url);
  try {
    return await work(await connection.createChannel());
  } finally {
    await connection.close();
  }
}

function sendOf(parts: Partial<Send> = {}, about: { readonly id?: string; readonly key?: string } = {}): Send {
  const message = {
    ...{ id: randomUUID(), topic: 'cases', key: null, routingKey: null, headers: {}, publishedAt: 0, format: 1 },
    ...{ body: new Uint8Array([1]), ...about },
  };
  return {
    ...{ target: { kind: 'topic' }, message, lane: 0, counts: { attempt: 1, postpones: 0, firstFailedAt: null } },
    ...{ delayMs: 0, nonce: randomUUID(), unmatched: 'reject', dedup: null },
    ...parts,
  };
}
