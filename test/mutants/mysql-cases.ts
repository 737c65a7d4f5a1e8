import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { mysql } from 'signalbox/mysql';
import type { Driver, Received, Send } from '../../src/queue/driver.js';
import { eventually, timeFactor } from '../mysql/eventually.js';
import { tcpProxy } from '../servers/index.js';

/** Makes a driver of the code under test: the sources, or a changed copy of them. */
export type Make = typeof mysql;

/** What the suite cannot show, since it knows no tokens, no isolation levels and no clock but the portable layer's. */
export const mysqlCases: Readonly<Record<string, (make: Make, url: string) => Promise<void>>> = {
  'a-stale-claim-settles-nothing-of-the-newer-holder': async (make, url) => {
    await using stale = await client(make, url, 300 * timeFactor);
    await using newer = await client(make, url, 60_000);
    await stale.driver.send([sendOf()]);
    const [old] = await stale.receive();
    assert.ok(old !== undefined, 'the first holder got it');
    const got = await eventually('the lease ends and another has it', async () => (await newer.receive())[0]);

    const [staleAnswer] = await stale.subscription.settle([{ kind: 'ack', receipt: old.receipt, outbox: [] }]);
    const [newerAnswer] = await newer.subscription.settle([{ kind: 'ack', receipt: got.receipt, outbox: [] }]);

    assert.deepEqual([staleAnswer?.status, newerAnswer?.status], ['lost', 'done']);
  },

  'a-wrong-clock-of-the-process-moves-no-time-in-the-tables': async (make, url) => {
    await using one = await client(make, url, 30_000);
    const right = Date.now;
    for (const offsetMs of [300_000, -300_000]) {
      Date.now = () => right() + offsetMs;
      await one.driver.send([sendOf({ delayMs: 400 })]).finally(() => {
        Date.now = right;
      });
      const sentAt = performance.now();
      const got = await eventually('it falls due', async () => (await one.receive())[0], 5_000);
      // It was stored a little before its sending was answered.
      assert.ok(performance.now() - sentAt > 300, 'it waited for its delay');
      await one.subscription.settle([{ kind: 'ack', receipt: got.receipt, outbox: [] }]);
    }
  },

  'publishers-with-different-idempotency-keys-do-not-wait-for-each-other': async (make, url) => {
    await using proxy = await tcpProxy(url);
    await using far = await client(make, proxy.url(), 30_000);
    await using near = await client(make, url, 30_000);
    const withKey = (key: string): Send => sendOf({ dedup: { key, windowMs: 60_000 } });
    await near.driver.send([withKey('first')]);
    await far.driver.send([withKey('before')]);
    // Its transaction now takes seconds, in which the other's must take none.
    proxy.slow({ latencyMs: 250 });
    let isDone = false;
    // Behind all others: in the gap into which they insert.
    const slow = far.driver.send([withKey('z')]).finally(() => {
      isDone = true;
    });
    let longestMs = 0;
    const boundMs = 900 * timeFactor;
    for (let n = 0; !isDone && longestMs < boundMs; n++) {
      const sentAt = performance.now();
      const [result] = await near.driver.send([withKey(`n${String(n).padStart(6, '0')}`)]);
      longestMs = Math.max(longestMs, performance.now() - sentAt);
      assert.equal(result?.status, 'stored');
      await pause(20);
    }
    assert.equal((await slow)[0]?.status, 'stored');
    assert.ok(longestMs < boundMs, `one waited for ${Math.round(longestMs)} ms`);
  },
};

async function client(make: Make, url: string, leaseMs: number) {
  const driver: Driver = make({ url, leaseMs });
  await driver.open({ logger: { info: () => {}, warn: () => {} }, emit: () => {} });
  const topic = { name: 'cases', ordering: 'none', lanes: 1, maxRedeliveries: 20, expectedDelaysMs: [] } as const;
  await driver.declare(
    { topics: [{ ...topic, groups: [{ name: 'default', patterns: ['#'] }] }] },
    { mode: 'assert', change: false },
  );
  const subscription = await driver.subscribe({
    ...{ topic: 'cases', group: 'default', prefetch: 10, consumer: randomUUID() },
    onLost: () => {},
  });
  const receive = (): Promise<readonly Received[]> => subscription.receive(1, 0, new AbortController().signal);
  return { driver, subscription, receive, [Symbol.asyncDispose]: () => driver.close() };
}

function sendOf(parts: Partial<Send> = {}): Send {
  const message = {
    id: randomUUID(),
    topic: 'cases',
    key: null,
    routingKey: null,
    headers: {},
    publishedAt: 0,
    format: 1,
  };
  return {
    target: { kind: 'topic' },
    message: { ...message, body: new Uint8Array([1]) },
    lane: 0,
    counts: { attempt: 1, postpones: 0, firstFailedAt: null },
    delayMs: 0,
    nonce: randomUUID(),
    unmatched: 'reject',
    dedup: null,
    ...parts,
  };
}
