// Networks between the driver and the server: gone without a word, slow, cut. Only a proxy can make them.
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { describeServers, type TcpProxy, tcpProxy } from '../../servers/index.js';
import { eventually, soon, timeFactor } from '../eventually.js';
import { Gate, jobTopic, openProcess } from './jobs.js';
import { RawConnection } from './raw-connection.js';

await describeServers(['mariadb', 'mysql'], (_, server) => {
  test.concurrent('what is held behind a connection that is half open comes to others when its lease ends, in its order; its holder settles nothing any more', async () => {
    const url = await server().freshUrl();
    const topic = jobTopic({ ordering: 'key' });
    const leaseMs = 1_500;
    await using proxy = await tcpProxy(url);
    await using near = await openProcess(topic, { url, leaseMs });
    await using far = await openProcess(topic, { url: proxy.url(), leaseMs });
    await using _ = resumed(proxy);
    await using raw = await RawConnection.open(url);
    const goOn = new Gate();
    const [atFar, atNear]: [number[], { n: number; redeliveries: number }[]] = [[], []];
    let isAborted = false;
    const outcome = new Promise<unknown>((resolve) => {
      void far.consume(topic, async (delivery) => {
        atFar.push(delivery.message.body.n);
        delivery.signal.addEventListener('abort', () => {
          isAborted = true;
        });
        await goOn.opened;
        resolve(await delivery.ack().catch((error: unknown) => error));
      });
    });
    await near.publish(topic, { n: 1 }, { key: 'a' });
    await eventually('it is in hand', () => atFar.length === 1);
    await near.publish(topic, { n: 2 }, { key: 'a' });

    proxy.halfOpen();
    const cutOffAt = performance.now();
    const second = new Gate();
    await near.consume(topic, async ({ message: { body }, redeliveries }) => {
      atNear.push({ n: body.n, redeliveries });
      await second.opened;
    });
    // A claim that it was in the midst of adds 3 s, and a second for the lock that was waited for.
    await eventually('it comes to the other', () => atNear.length === 1, leaseMs + 5_000);
    expect(performance.now() - cutOffAt).toBeGreaterThan(leaseMs / 2);
    await eventually('its holder knows', () => isAborted);
    goOn.open();

    expect(await soon('the ack ends', outcome, 5_000)).toMatchObject({ code: 'lease-lost' });
    proxy.resume();
    await eventually('the far one is back', () => far.health().connected);
    expect(Number(await raw.value('select count(*) from signalbox_messages where stage = 3'))).toBe(1);
    second.open();
    await eventually('all is done', async () => (await raw.messages()) === 0);
    expect(atNear[0]).toEqual({ n: 1, redeliveries: 1 });
    expect([...atNear.slice(1).map(({ n }) => n), ...atFar.slice(1)]).toEqual([2]);
  });

  test.concurrent.for([
    ['of a topic with order', { ordering: 'key' }],
    ['of a topic without', {}],
  ] as const)(
    'a process that is cut off in the midst of a claim %s holds others up for a lease, not for as long as the server believes in it',
    async ([, ordering]) => {
      const url = await server().freshUrl();
      const topic = jobTopic(ordering);
      const leaseMs = 3_000;
      await using proxy = await tcpProxy(url);
      await using raw = await RawConnection.open(url);
      await using near = await openProcess(topic, { url, leaseMs });
      await using far = await openProcess(topic, { url: proxy.url(), leaseMs });
      await using _ = resumed(proxy);
      // A claim's last statement before its commit takes until it is let go on.
      await raw.run(`create trigger held_up before update on signalbox_messages for each row
      begin while is_used_lock(database()) is not null do set @slept = sleep(0.02); end while; end`);
      await raw.value('select get_lock(database(), 0)');
      await far.consume(topic, () => {});
      await near.publish(topic, { n: 1 }, { key: 'a' });
      await eventually('it is being claimed', async () => (await raw.asleep()) > 0);

      proxy.halfOpen();
      const cutOffAt = performance.now();
      await raw.run('do release_lock(database())');
      const received = new Gate();
      await near.consume(topic, () => received.open());

      // The server's patience is in whole seconds; a lock is waited for for one.
      await soon('it comes to the other', received.opened, leaseMs + 5_000);
      expect(performance.now() - cutOffAt).toBeGreaterThan(leaseMs / 2);
    },
  );

  test.concurrent('connections with nothing to do are heard of all the same: the server gives none of them up', async () => {
    const url = await server().freshUrl();
    const leaseMs = 3_000;
    const topic = jobTopic();
    await using raw = await RawConnection.open(url);
    await using queue = await openProcess(topic, { url, leaseMs });
    await queue.consume(topic, () => {});
    await queue.publish(topic, { n: 1 });
    await eventually('it is done', async () => (await raw.messages()) === 0);
    const before = await raw.others();

    await pause(1.7 * leaseMs);

    expect(await raw.others()).toEqual(expect.arrayContaining([...before]));
  });

  test.concurrent('connections of which nothing is heard any more are given up and made anew, although nobody ever closes them', async () => {
    const url = await server().freshUrl();
    const topic = jobTopic();
    await using gone = await tcpProxy(url);
    await using raw = await RawConnection.open(url);
    await using publisher = await openProcess(topic, { url });
    const { hostname, port, pathname, username } = new URL(url);
    let [host, at] = ['127.0.0.1', gone.port];
    const connection = {
      ...{ user: username, password: decodeURIComponent(new URL(url).password), database: pathname.slice(1) },
      stream: () => connect(at, host),
    };
    await using reader = await openProcess(topic, { connection, leaseMs: 3_000 });
    const received: number[] = [];
    await reader.consume(topic, ({ message: { body } }) => received.push(body.n));
    await publisher.publish(topic, { n: 1 });
    await eventually('it arrives', () => received.length === 1);
    await eventually('it is acked', async () => (await raw.messages()) === 0);

    gone.halfOpen();
    [host, at] = [hostname, Number(port)];
    await publisher.publish(topic, { n: 2 });

    await eventually('the next one arrives', () => received.includes(2), 25_000);
    await eventually('it is connected', () => reader.health().connected, 25_000);
    await eventually('it is acked', async () => (await raw.messages()) === 0, 20_000);
    expect(received.filter((n) => n === 1)).toEqual([1]);
  }, 80_000);

  test.concurrent('over a slow link everything works, and leases are extended in time', async () => {
    const url = await server().freshUrl();
    const topic = jobTopic({ ordering: 'key' });
    const leaseMs = 3_000;
    await using proxy = await tcpProxy(url);
    await using raw = await RawConnection.open(url);
    await using near = await openProcess(topic, { url, leaseMs });
    await using far = await openProcess(topic, { url: proxy.url(), leaseMs });
    const received: number[] = [];
    const lost: unknown[] = [];
    far.events.on('lease-lost', (event) => lost.push(event));
    proxy.slow({ latencyMs: 150, bytesPerSecond: 100_000 });

    await far.consume(topic, async ({ message: { body } }) => {
      received.push(body.n);
      if (body.n === 0) await pause(1.5 * leaseMs);
    });
    await near.consume(topic, ({ message: { body } }) => received.push(body.n));
    await far.publish(topic, { n: 0 }, { key: 'slow' });
    await Promise.all(Array.from({ length: 5 }, (_, i) => far.publish(topic, { n: i + 1 }, { key: 'other' })));

    await eventually('all is done', async () => (await raw.messages()) === 0, 20_000);
    expect([...received].sort()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(lost).toEqual([]);
  }, 40_000);

  test.concurrent('a link that is cut again and again costs nothing that was confirmed', async () => {
    const url = await server().freshUrl();
    const topic = jobTopic();
    await using proxy = await tcpProxy(url);
    await using raw = await RawConnection.open(url);
    await using queue = await openProcess(topic, { url: proxy.url(), leaseMs: 3_000 });
    const received = new Set<number>();
    await queue.consume(topic, ({ message: { body } }) => received.add(body.n));
    const confirmed: number[] = [];
    const failures: unknown[] = [];
    let publishing = true;
    const cuts = (async () => {
      while (publishing) {
        await pause(300);
        proxy.cut();
      }
    })();

    await Promise.all(
      Array.from({ length: 4 }, async (_, loop) => {
        for (let i = 0; i < 60; i++) {
          const n = loop * 1_000 + i;
          await queue.publish(topic, { n }).then(
            () => confirmed.push(n),
            (error: unknown) => failures.push(error),
          );
          await pause(5);
        }
      }),
    );
    publishing = false;
    await cuts;

    expect(failures).toEqual([]);
    await eventually('all arrive', () => confirmed.every((n) => received.has(n)), 15_000);
    await eventually('nothing is left', async () => (await raw.messages()) === 0, 15_000);
  }, 60_000);

  test.concurrent('a queue whose link is half open is closed in finite time', async () => {
    const url = await server().freshUrl();
    const topic = jobTopic();
    await using proxy = await tcpProxy(url);
    const queue = await openProcess(topic, { url: proxy.url() });
    const held = new Gate();
    await queue.consume(topic, async () => {
      held.open();
      await new Promise(() => {});
    });
    await queue.publish(topic, { n: 1 });
    await held.opened;

    proxy.halfOpen();
    const startedAt = performance.now();
    await queue.close({ deadlineMs: 500 });

    expect(performance.now() - startedAt).toBeLessThan(40_000 * timeFactor);
  }, 60_000);
});

/** At the end of the block, before what is closed over the link: a test that failed meanwhile says so at once. */
function resumed(proxy: TcpProxy): AsyncDisposable {
  return { [Symbol.asyncDispose]: async () => proxy.resume() };
}
