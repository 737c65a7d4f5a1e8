import { openQueue } from 'signalbox';
import type { BenchOptions } from './arguments.js';
import { atLeast, atMost, type Figure } from './figure.js';
import { reportFigures } from './figures.js';
import { type BenchTopic, bodyOf, drain, fill, latencyOf, latenessOf, topicsOf } from './flow.js';
import { interleaved } from './interleaved.js';
import { rateOf } from './pace.js';
import { RawAmqp } from './raw-amqp.js';
import { serverVersion } from './server-version.js';

const rounds = 5;
/** Of five seconds each. */
const latencyRounds = 3;
const seconds = 2;
const inFlight = 256;
/** How long delays are sent before they are measured. */
const learningSeconds = 20;

/** RabbitMQ beside raw amqplib with a promise per message and the same queue type. */
export async function benchAmqp(url: string, { json, only, messages }: BenchOptions): Promise<void> {
  const run = Math.random().toString(36).slice(2, 8);
  const type = url.includes('queueType=classic') ? 'classic' : 'quorum';
  const topics = topicsOf(run);
  await using queue = await openQueue(url, { topics: Object.values(topics) });
  await using raw = await RawAmqp.open(url, run, type);
  const backlog = messages ?? 20_000;
  const purge = async (topic: BenchTopic): Promise<void> => {
    // As a queue that is declared again: a group that is removed takes what waits for it along.
    await queue.admin.removeGroup(topic, 'default');
    await queue.setup();
  };

  async function consumed(topic: BenchTopic, count: number, prefetch: number, handlers: number): Promise<number> {
    await fill(queue, topic, count, 200);
    return drain(queue, topic, count, { prefetch, handlers });
  }

  const sections = {
    publish: async (): Promise<readonly Figure[]> => {
      const { raw: bare, ours } = await interleaved(
        rounds,
        async () => {
          await raw.empty();
          return raw.publish(seconds, 200);
        },
        () => rateOf(seconds, inFlight, () => queue.publish(topics.unordered, bodyOf(200))),
      );
      await purge(topics.unordered);
      return [rate('confirmed publish, 256 in flight', ours, 'raw amqplib', bare, 0.8)];
    },
    consume: async (): Promise<readonly Figure[]> => {
      const wide = await interleaved(
        rounds,
        () => raw.consume(backlog, 200, 256),
        () => consumed(topics.unordered, backlog, 256, 64),
      );
      const narrowCount = Math.ceil(backlog / 5);
      const narrow = await interleaved(
        rounds,
        () => raw.consume(narrowCount, 200, 1),
        () => consumed(topics.unordered, narrowCount, 1, 1),
      );
      return [
        rate('consume and ack, prefetch 256', wide.ours, 'raw amqplib', wide.raw, 0.8),
        rate('consume and ack, prefetch 1', narrow.ours, 'raw amqplib', narrow.raw, 0.8),
      ];
    },
    ordered: async (): Promise<readonly Figure[]> => {
      const { raw: unordered, ours } = await interleaved(
        rounds,
        () => consumed(topics.unordered, backlog, 256, 64),
        () => consumed(topics.ordered, backlog, 512, 64),
      );
      return [rate('ordered over 1 000 keys', ours, 'our unordered', unordered, 0.7)];
    },
    latency: async (): Promise<readonly Figure[]> => {
      const { raw: bare, ours } = await interleaved(
        latencyRounds,
        async () => (await raw.latency(200, 5)).p50,
        async () => (await latencyOf(queue, topics.unordered, 200, 5)).p50,
      );
      return [
        {
          name: 'publish to handler at 200/s, p50',
          value: ours,
          unit: 'ms',
          raw: { name: 'raw amqplib', value: bare },
          target: atMost(1.5, 'ratio'),
        },
      ];
    },
    delay: async (): Promise<readonly Figure[]> => {
      const same = await latenessOf(queue, topics.unordered, 1_000, 8, () => 2_000);
      const bare = await raw.lateness(2_000, 1_000, 8);
      const anyDelay = (): number => 1 + Math.floor(Math.random() * 10_000);
      // Until each has a queue of its own: once per broker, some ten seconds.
      const learning = await latenessOf(queue, topics.unordered, 500, learningSeconds, anyDelay);
      const random = await latenessOf(queue, topics.unordered, 500, 15, anyDelay);
      const beside = { name: 'raw TTL queue', value: bare.p99 };
      return [
        { name: '2 s at 1 000/s, late by, p99', value: same.p99, unit: 'ms', raw: beside, target: atMost(30) },
        { name: '2 s at 1 000/s, late by, least', value: same.min, unit: 'ms', raw: null, target: atLeast(0, 'value') },
        {
          name: '1 to 10 000 ms at 500/s, late by, p99',
          value: random.p99,
          unit: 'ms',
          raw: beside,
          target: atMost(30),
        },
        {
          name: '1 to 10 000 ms at 500/s, late by, least',
          value: Math.min(random.min, learning.min),
          unit: 'ms',
          raw: null,
          target: atLeast(0, 'value'),
        },
        {
          name: `the same while delays are new (${learningSeconds} s), p99`,
          value: learning.p99,
          unit: 'ms',
          raw: null,
          target: null,
        },
      ];
    },
  };
  const heading = { backend: `amqp, ${type} queues`, server: await serverVersion(url), node: process.version };
  try {
    await reportFigures(heading, sections, { json, only });
  } finally {
    for (const topic of Object.values(topics)) await queue.admin.removeGroup(topic, 'default');
  }
}

function rate(name: string, value: number, rawName: string, raw: number, least: number): Figure {
  return { name, value, unit: 'messages/s', raw: { name: rawName, value: raw }, target: atLeast(least) };
}
