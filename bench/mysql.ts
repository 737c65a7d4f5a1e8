import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { openQueue, type Queue } from 'signalbox';
import type { BenchOptions } from './arguments.js';
import { atLeast, atMost, type Figure } from './figure.js';
import { reportFigures } from './figures.js';
import {
  type BenchTopic,
  bodyOf,
  drain,
  fill,
  latencyAcross,
  latencyOf,
  latenessOf,
  publishBatch,
  topicsOf,
  until,
} from './flow.js';
import { interleaved, median } from './interleaved.js';
import { monotonicMs, rateOf } from './pace.js';
import { RawMysql } from './raw-mysql.js';
import { serverVersion } from './server-version.js';

const rounds = 3;
const seconds = 2;
const wide = { prefetch: 256, handlers: 64 };
const hourMs = 3_600_000;

/** MySQL or MariaDB beside the same rows in the same table without signalbox. The server must be ours alone: its statements are counted. */
export async function benchMysql(url: string, { json, only, messages }: BenchOptions): Promise<void> {
  const run = Math.random().toString(36).slice(2, 8);
  const topics = topicsOf(run);
  await using queue = await openQueue(url, { topics: Object.values(topics) });
  // What the driver publishes and settles with by default, unless the URL says otherwise.
  await using raw = await RawMysql.open(url, run, Number(new URL(url).searchParams.get('connections') ?? 4));
  const server = await serverVersion(url);
  const onMariaDb = server.includes('MariaDB');
  const backlog = messages ?? 50_000;
  const ins1 = (bytes = 200): Promise<number> => raw.insertOne(seconds, bytes);
  const purge = async (topic: BenchTopic): Promise<void> => {
    await queue.admin.removeGroup(topic, 'default');
    await queue.setup();
    await raw.empty();
  };

  const sections = {
    publish: async (): Promise<readonly Figure[]> => {
      const single = await interleaved(rounds, ins1, () =>
        rateOf(seconds, 16, () => queue.publish(topics.unordered, bodyOf(200))),
      );
      const batch = await interleaved(
        rounds,
        () => raw.insertHundreds(seconds, 200),
        () => rateOf(seconds, 16, () => publishBatch(queue, topics.unordered, 100, 200), 100),
      );
      const [each, deleted] = [await raw.insertOneEach(seconds, 200), await raw.deleteHundreds(200)];
      await purge(topics.unordered);
      return [
        rate('16 concurrent single publishes', single.ours, 'ins1', single.raw, 4),
        rate('batches of 100', batch.ours, 'raw rows, 100 a statement', batch.raw, 0.5),
        { name: 'raw: one row each on all connections', value: each, unit: 'messages/s', raw: null, target: null },
        { name: 'raw: delete by key, 100 a statement', value: deleted, unit: 'messages/s', raw: null, target: null },
      ];
    },
    consume: async (): Promise<readonly Figure[]> => {
      const figures: Figure[] = [];
      for (const [bytes, least] of onMariaDb
        ? ([
            [200, 2],
            [1_024, 1.5],
          ] as const)
        : ([
            [200, 5],
            [1_024, 4],
          ] as const)) {
        const counts: number[] = [];
        const { raw: bare, ours } = await interleaved(
          2,
          () => ins1(bytes),
          async () => {
            await fill(queue, topics.unordered, backlog, bytes);
            const before = await raw.questions();
            const perSecond = await drain(queue, topics.unordered, backlog, wide);
            counts.push(((await raw.questions()) - before - 1) / backlog);
            return perSecond;
          },
        );
        figures.push(rate(`consume and ack, backlog, ${bytes} bytes`, ours, 'ins1', bare, least), {
          name: `consume and ack, backlog, ${bytes} bytes, per message`,
          value: median(counts),
          unit: 'statements',
          raw: null,
          target: atMost(0.1),
        });
      }
      return figures;
    },
    ordered: async (): Promise<readonly Figure[]> => {
      const through = async (topic: BenchTopic): Promise<number> => {
        await fill(queue, topic, backlog, 200);
        return drain(queue, topic, backlog, wide);
      };
      const { raw: unordered, ours } = await interleaved(
        2,
        () => through(topics.unordered),
        () => through(topics.ordered),
      );
      return [rate('ordered over 1 000 keys, backlog', ours, 'our unordered', unordered, 0.7)];
    },
    idle: () => idle(queue, raw, topics.unordered),
    latency: async (): Promise<readonly Figure[]> => {
      const within = await latencyOf(queue, topics.unordered, 100, 10);
      const across = await latencyAcross(queue, topics.unordered, { url, run, count: 1_000 }, 100);
      return [
        milliseconds('publish to handler at 100/s, one process, p50', within.p50, 3),
        milliseconds('publish to handler at 100/s, one process, p99', within.p99, null),
        milliseconds('publish to handler at 100/s, two processes, p50', across.p50, 15),
        milliseconds('publish to handler at 100/s, two processes, p99', across.p99, 60),
      ];
    },
    delay: async (): Promise<readonly Figure[]> => {
      const late = await latenessOf(queue, topics.unordered, 100, 10, () => 500 + Math.floor(Math.random() * 1_500));
      return [
        milliseconds('0.5 to 2 s at 100/s, late by, p99', late.p99, 30),
        {
          name: '0.5 to 2 s at 100/s, late by, least',
          value: late.min,
          unit: 'ms',
          raw: null,
          target: atLeast(0, 'value'),
        },
      ];
    },
    backlog: async (): Promise<readonly Figure[]> => {
      const figure = await behindBacklog(queue, topics.unordered, backlog * 2);
      await purge(topics.unordered);
      return [figure];
    },
    'big-table': async (): Promise<readonly Figure[]> => {
      const figures = await bigTable(queue, raw, topics.unordered, backlog);
      await purge(topics.unordered);
      return figures;
    },
  };
  try {
    await reportFigures({ backend: 'mysql', server, node: process.version }, sections, { json, only });
  } finally {
    for (const topic of Object.values(topics)) await queue.admin.removeGroup(topic, 'default');
  }
}

/** What waiting costs: statements of 16 subscriptions that get nothing, also beside 1 000 delayed messages, and of a lone message. */
async function idle(queue: Queue, raw: RawMysql, topic: BenchTopic): Promise<readonly Figure[]> {
  const perSecond = async (): Promise<number> => {
    await pause(2_000); // until the polls have become as rare as they get
    const [before, startedAt] = [await raw.questions(), performance.now()];
    await pause(5_000);
    return (((await raw.questions()) - before - 1) * 1_000) / (performance.now() - startedAt);
  };
  const handled: number[] = [];
  const consumers = await Promise.all(
    Array.from({ length: 16 }, () => queue.consume(topic, ({ message }) => void handled.push(message.body.at))),
  );
  const empty = await perSecond();
  // One by one, as the client sends them: all but those that it sends while nothing comes.
  const sent: string[] = [];
  const note = (message: unknown): void => void sent.push((message as { readonly query: string }).query);
  const [said, lone]: [string, number[]] = ['tracing:mysql2:query:start', []];
  subscribe(said, note);
  await pause(2_000);
  const whileIdle = new Set(sent);
  for (let i = 0; i < 20; i++) {
    sent.length = 0;
    await queue.publish(topic, bodyOf(200, i));
    await until(() => handled.includes(i));
    await pause(100); // its ack is on its way
    lone.push(sent.filter((sql) => !whileIdle.has(sql)).length);
  }
  unsubscribe(said, note);
  await queue.publishBatch(
    topic,
    Array.from({ length: 1_000 }, () => ({ body: bodyOf(200), delayMs: hourMs })),
  );
  const waiting = await perSecond();
  await Promise.all(consumers.map((consumer) => consumer.close()));
  return [
    statements('a lone message, publish to ack', median(lone), 'statements', 6),
    statements('16 idle subscriptions', empty, 'statements/s', 25),
    statements('16 idle subscriptions beside 1 000 delayed messages', waiting, 'statements/s', 25),
  ];
}

/** With as many coming in as going out: how much later than a message published at its due time a delayed one is served. */
async function behindBacklog(queue: Queue, topic: BenchTopic, backlog: number): Promise<Figure> {
  const pairs = 20;
  const servedAt = new Map<number, number>();
  let handled = 0;
  let sent = backlog;
  await fill(queue, topic, backlog, 200);
  await using _consumer = await queue.consume(
    topic,
    ({ message }) => {
      handled++;
      if (message.body.at !== 0) servedAt.set(message.body.at, monotonicMs());
    },
    { prefetch: 256, concurrency: 64 },
  );
  let flowing = true;
  const inflow = (async () => {
    while (flowing) {
      if (sent - handled < backlog) {
        await publishBatch(queue, topic, 100, 200);
        sent += 100;
      } else await pause(5);
    }
  })();
  const delayMs = 1_000;
  for (let pair = 1; pair <= pairs; pair++) {
    const dueAt = monotonicMs() + delayMs;
    await queue.publishAfter(topic, bodyOf(200, pair), delayMs);
    await pause(Math.max(0, dueAt - monotonicMs()));
    await queue.publish(topic, bodyOf(200, -pair));
  }
  await until(() => servedAt.size === 2 * pairs);
  flowing = false;
  await inflow;
  const behind = Array.from({ length: pairs }, (_, i) => (servedAt.get(i + 1) ?? 0) - (servedAt.get(-i - 1) ?? 0));
  const name = `delayed behind a backlog of ${backlog}, after one published when due, most`;
  return milliseconds(name, Math.max(...behind), 50);
}

/** Throughput of a table full of others' rows beside that of an empty one. */
async function bigTable(queue: Queue, raw: RawMysql, topic: BenchTopic, backlog: number): Promise<readonly Figure[]> {
  const publish = (): Promise<number> => rateOf(seconds, 16, () => queue.publish(topic, bodyOf(200)));
  const consume = async (): Promise<number> => {
    await fill(queue, topic, backlog, 200);
    return drain(queue, topic, backlog, wide);
  };
  const emptyConsume = await consume();
  const emptyPublish = await publish();
  await queue.publishBatch(
    topic,
    Array.from({ length: 100 }, () => ({ body: bodyOf(200), delayMs: hourMs })),
  );
  await raw.multiply(topic.name, 'delayed', 100_000);
  await fill(queue, topic, 1_000, 200);
  await raw.multiply(topic.name, 'ready', 1_000_000);
  const fullPublish = await publish();
  const fullConsume = await consume();
  return [
    rate('single publishes, 1 100 000 rows', fullPublish, 'ours, empty table', emptyPublish, 0.7),
    rate('consume and ack, 1 100 000 rows', fullConsume, 'ours, empty table', emptyConsume, 0.7),
  ];
}

function rate(name: string, value: number, rawName: string, raw: number, least: number): Figure {
  return { name, value, unit: 'messages/s', raw: { name: rawName, value: raw }, target: atLeast(least) };
}

function milliseconds(name: string, value: number, most: number | null): Figure {
  return { name, value, unit: 'ms', raw: null, target: most === null ? null : atMost(most) };
}

function statements(name: string, value: number, unit: 'statements' | 'statements/s', most: number): Figure {
  return { name, value, unit, raw: null, target: atMost(most) };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
