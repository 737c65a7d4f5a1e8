// Connections and channels that end while messages are in hand: whatever ends, nobody else's message is acked, and none is lost.
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, expect, test, vi } from 'vitest';
import { describeServers, type TcpProxy, tcpProxy } from '../../servers/index.js';
import { BrokerSide } from './broker-side.js';
import { eventually, timeFactor } from './eventually.js';
import { Gate, jobTopic, named, openProcess, queueOf } from './jobs.js';
import { Ledger } from './ledger.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

await describeServers(['rabbitmq'], (_, server) => {
  let url: string;
  beforeAll(async () => {
    url = await server().freshUrl();
  });

  interface Victim {
    readonly proxy: TcpProxy;
    readonly broker: BrokerSide;
    readonly connectionName: string;
    /** Whether the victim's driver has lost what it had. */
    readonly isLost: () => boolean;
  }

  /** What takes away all that a process has in hand, and lets it go on. */
  const losses: Readonly<Record<string, (victim: Victim) => Promise<void>>> = {
    'a TCP reset': async ({ proxy }) => proxy.cut(),
    'a half-open connection': async ({ proxy, isLost }) => {
      proxy.halfOpen();
      await eventually('its heartbeats tell', isLost);
      proxy.resume();
    },
    'a channel that the broker closes': async ({ broker, connectionName }) =>
      broker.closeChannels('consuming', connectionName),
  };

  test.concurrent.each(Object.entries(losses))(
    'after %s, an ack that comes too late is lost, and acks no message of the new channel that has its tag',
    async (_what, lose) => {
      const topic = jobTopic();
      const count = 60;
      await using proxy = await tcpProxy(url);
      await using broker = new BrokerSide(server(), url);
      await using near = await openProcess(topic, url);
      const options = named(`${proxy.url()}?heartbeat=1`);
      await using far = await openProcess(topic, options);
      const { connectionName } = options;
      let lost = 0;
      far.events.on('lease-lost', () => lost++);
      await near.publishBatch(
        topic,
        Array.from({ length: 2 * count }, (__, n) => ({ body: { n } })),
      );
      // The first to be handed out wait for one gate, those after the loss for another.
      const gates = [new Gate(), new Gate(), new Gate()] as const;
      const inHand: number[][] = [[], [], []];
      const acked: number[] = [];
      const refusals: unknown[] = [];
      let round = 0;
      await far.consume(
        topic,
        async (delivery) => {
          const mine = round as 0 | 1 | 2;
          const { n } = delivery.message.body;
          inHand[mine]?.push(n);
          await gates[mine].opened;
          // Of the second round, only every other one is acked.
          if (mine === 1 && n % 2 === 1) await new Promise(() => {});
          await delivery.ack().then(
            () => acked.push(n),
            (error: unknown) => refusals.push(error),
          );
        },
        { prefetch: count, concurrency: 4 * count },
      );
      await eventually('the first are in hand', () => inHand[0]?.length === count);

      round = 1;
      await lose({ proxy, broker, connectionName, isLost: () => lost > 0 });
      await eventually('as many are in hand on the new channel', () => inHand[1]?.length === count);
      gates[0].open();

      await eventually('all late acks are answered', () => refusals.length === count);
      for (const refusal of refusals) expect(refusal).toMatchObject({ code: 'lease-lost' });
      expect(acked).toEqual([]);
      expect(await broker.count(queueOf(topic))).toBe(2 * count);

      // What is handed out from now on waits for a gate that is never opened.
      round = 2;
      gates[1].open();
      await eventually('every other one is acked', () => acked.length === inHand[1]?.filter((n) => n % 2 === 0).length);
      await broker.has(queueOf(topic), 2 * count - acked.length);
      await lose({ proxy, broker, connectionName, isLost: () => lost > count });
      await far.close({ deadlineMs: 0 });
      const received: number[] = [];
      await near.consume(topic, ({ message: { body } }) => received.push(body.n));

      await eventually('all others come again', () => received.length === 2 * count - acked.length);
      await broker.has(queueOf(topic), 0);
      expect([...received, ...acked].sort((one, other) => one - other)).toEqual(
        Array.from({ length: 2 * count }, (__, n) => n),
      );
    },
  );

  test.concurrent('while connections are reset, go half-open and channels are closed under load, each message is acked by somebody who had it, and comes again only with a reason', async () => {
    const topic = jobTopic();
    await using broker = new BrokerSide(server(), url);
    const options = named(url);
    await using near = await openProcess(topic, options);
    await using first = await tcpProxy(url);
    await using second = await tcpProxy(url);
    await using one = await openProcess(topic, `${first.url()}?heartbeat=1`);
    await using other = await openProcess(topic, `${second.url()}?heartbeat=1`);
    const ledger = new Ledger();
    const processes = { near, one, other };
    const lost = { near: 0, one: 0, other: 0 };
    const unexpected: unknown[] = [];
    for (const who of ['near', 'one', 'other'] as const) {
      for (const event of ['lease-lost', 'disconnected'] as const) {
        processes[who].events.on(event, () => {
          lost[who]++;
          ledger.lost(who);
        });
      }
      await processes[who].consume(
        topic,
        async (delivery) => {
          const { n } = delivery.message.body;
          const handOut = ledger.handed(n, who);
          // Some take so long that they are always in hand when something is lost, and ack all the same.
          const isSlow = n % 5 === 0 && delivery.redeliveries === 0;
          await pause(isSlow ? 1_500 : (n % 40) * 10);
          await delivery.ack().then(
            () => {
              handOut.ackedAt = performance.now();
            },
            (error: { code?: unknown }) => {
              if (error.code !== 'lease-lost') unexpected.push(error);
            },
          );
        },
        { prefetch: 60, concurrency: 200 },
      );
    }

    let [published, losing] = [0, true];
    const publishing = (async () => {
      while (losing) {
        const entries = Array.from({ length: 40 }, (__, i) => ({ body: { n: published + i } }));
        for (const { status } of await near.publishBatch(topic, entries)) expect(status).toBe('published');
        published += entries.length;
        await pause(100);
      }
    })();
    for (let round = 0; round < 3; round++) {
      first.cut();
      await pause(300);
      second.halfOpen();
      ledger.cutOff('other');
      await pause(500);
      await broker.closeChannels('consuming', options.connectionName);
      await eventually('the half-open one is noticed', () => !other.health().connected);
      second.resume();
      first.cut();
    }
    losing = false;
    await publishing;

    const all = Array.from({ length: published }, (__, n) => n);
    await eventually('all are acked', () => ledger.unacked(all).length === 0, 30_000);
    await broker.has(queueOf(topic), 0);
    expect(unexpected).toEqual([]);
    expect(ledger.unexplained).toEqual([]);
    for (const who of ['near', 'one', 'other'] as const) expect(lost[who]).toBeGreaterThan(0);
  });

  test.concurrent('a link that is cut again and again costs nothing that was confirmed', async () => {
    const topic = jobTopic();
    await using proxy = await tcpProxy(url);
    await using queue = await openProcess(topic, proxy.url());
    const received = new Map<number, Set<string>>();
    await queue.consume(topic, ({ message: { id, body } }) => {
      received.set(body.n, (received.get(body.n) ?? new Set()).add(id));
    });
    const confirmed: number[] = [];
    const failures: unknown[] = [];
    let publishing = true;
    const cuts = (async () => {
      // A busy machine may take longer than that to shake hands.
      while (publishing) {
        if (queue.health().connected) {
          await pause(300);
          proxy.cut();
        }
        await pause(10);
      }
    })();

    await Promise.all(
      Array.from({ length: 8 }, async (__, loop) => {
        for (let i = 0; i < 100; i++) {
          const n = loop * 1_000 + i;
          const send = i % 2 === 0 ? queue.publish(topic, { n }) : queue.publishAfter(topic, { n }, 100 + i);
          await send.then(
            () => confirmed.push(n),
            (error: unknown) => failures.push(error),
          );
        }
      }),
    );
    publishing = false;
    await cuts;

    expect(failures).toEqual([]);
    expect(confirmed.length).toBe(800);
    await eventually('all arrive', () => confirmed.every((n) => received.has(n)));
    // Repeated with the id that it had.
    for (const ids of received.values()) expect(ids.size).toBe(1);
  });

  test.concurrent('an operator closes all connections: they are made again, what waits for a confirm is sent again, consumers go on, and each fact is told once', async () => {
    const topic = jobTopic();
    await using broker = new BrokerSide(server(), url);
    const options = named(url);
    await using queue = await openProcess(topic, options);
    const facts: string[] = [];
    for (const event of ['disconnected', 'connected', 'lease-lost'] as const)
      queue.events.on(event, () => facts.push(event));
    const received = new Set<number>();
    await queue.consume(topic, ({ message: { body } }) => received.add(body.n));
    let running = true;
    let n = 0;
    const confirmed: number[] = [];
    const publishing = Array.from({ length: 4 }, async () => {
      while (running) {
        const mine = n++;
        await queue.publish(topic, { n: mine });
        confirmed.push(mine);
        await pause(5);
      }
    });
    await eventually('messages flow', () => received.size > 50);

    await broker.closeConnections(options.connectionName);
    await eventually('they are there again', () => facts.includes('connected'));
    const before = received.size;
    await eventually('messages flow again', () => received.size > before + 50);
    running = false;
    await Promise.all(publishing);

    await eventually('all arrive', () => confirmed.every((one) => received.has(one)));
    expect(facts.filter((fact) => fact !== 'lease-lost')).toEqual(['disconnected', 'connected']);
    expect(queue.health()).toMatchObject({ status: 'ok', connected: true });
  });

  test.concurrent('a half-open network is noticed by heartbeats: publishes wait for the next connection, none is rejected, and closing takes finite time', async () => {
    const topic = jobTopic();
    await using proxy = await tcpProxy(url);
    await using near = await openProcess(topic, url);
    const far = await openProcess(topic, `${proxy.url()}?heartbeat=1`);
    const received = new Set<number>();
    await near.consume(topic, ({ message: { body } }) => received.add(body.n));
    await far.publish(topic, { n: 0 });

    proxy.halfOpen();
    const publishing = Promise.all([1, 2, 3].map((n) => far.publish(topic, { n })));
    await eventually('it is noticed', () => !far.health().connected);
    expect(far.health()).toMatchObject({ status: 'down', connected: false });
    proxy.resume();
    await publishing;

    await eventually('all arrive', () => received.size === 4);
    proxy.halfOpen();
    const startedAt = performance.now();
    await far.close({ deadlineMs: 500 });
    expect(performance.now() - startedAt).toBeLessThan(15_000 * timeFactor);
  });
});
