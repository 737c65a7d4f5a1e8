import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { defineTopic, type Queue, type Topic } from 'signalbox';
import { z } from 'zod';
import type { LatencyOrders } from './latency-child.js';
import { monotonicMs, paced } from './pace.js';
import { type Spread, spreadOf } from './spread.js';

const schema = z.object({ at: z.number(), note: z.string() });
export type BenchTopic = Topic<typeof schema>;

/** The topics of a benchmark of a server. Their names carry the run, so that runs never meet. */
export interface BenchTopics {
  readonly unordered: BenchTopic;
  readonly ordered: BenchTopic;
}

export const topicsOf = (run: string): BenchTopics => ({
  unordered: defineTopic(`bench-${run}-unordered`, { schema }),
  ordered: defineTopic(`bench-${run}-ordered`, { schema, ordering: 'key' }),
});

/** A body of about so many bytes as JSON. */
export const bodyOf = (bytes: number, at = 0): z.input<typeof schema> => ({ at, note: 'n'.repeat(bytes - 30) });

const batchSize = 100;
const batchesAtOnce = 4;
const keys = 1_000;

/** Publishes a backlog, in batches. */
export async function fill(queue: Queue, topic: BenchTopic, count: number, bytes: number): Promise<void> {
  let sent = 0;
  const publisher = async (): Promise<void> => {
    while (sent < count) {
      const from = sent;
      sent += batchSize;
      await publishBatch(queue, topic, Math.min(batchSize, count - from), bytes, from);
    }
  };
  await Promise.all(Array.from({ length: batchesAtOnce }, publisher));
}

export async function publishBatch(
  queue: Queue,
  topic: BenchTopic,
  count: number,
  bytes: number,
  from = 0,
): Promise<void> {
  const keyOf = (i: number) => (topic.ordering === 'key' ? { key: `key-${(from + i) % keys}` } : {});
  const entries = Array.from({ length: count }, (_, i) => ({ body: bodyOf(bytes), ...keyOf(i) }));
  for (const result of await queue.publishBatch(topic, entries)) if (result.status === 'failed') throw result.error;
}

export interface Drain {
  readonly prefetch: number;
  readonly handlers: number;
}

/** Consumes and acks so many from a backlog; answers messages per second. All of them are acked when it resolves. */
export async function drain(
  queue: Queue,
  topic: BenchTopic,
  count: number,
  { prefetch, handlers }: Drain,
): Promise<number> {
  let handled = 0;
  let tell = (): void => {};
  const all = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const startedAt = performance.now();
  const consumer = await queue.consume(
    topic,
    () => {
      if (++handled === count) tell();
    },
    { prefetch, concurrency: handlers },
  );
  await all;
  await consumer.close();
  return (count * 1_000) / (performance.now() - startedAt);
}

/** From the publish call to the handler, milliseconds, within one process. */
export async function latencyOf(queue: Queue, topic: BenchTopic, perSecond: number, seconds: number): Promise<Spread> {
  const lags: number[] = [];
  await using _consumer = await queue.consume(topic, ({ message }) => {
    lags.push(monotonicMs() - message.body.at);
  });
  await paced(perSecond, seconds, () => queue.publish(topic, bodyOf(200, monotonicMs())));
  await until(() => lags.length >= perSecond * seconds);
  return spreadOf(lags);
}

/** The same to a handler in another process. */
export async function latencyAcross(
  queue: Queue,
  topic: BenchTopic,
  orders: LatencyOrders,
  perSecond: number,
): Promise<Spread> {
  // In its environment, not its arguments, which everybody sees.
  const child = fork(fileURLToPath(new URL('latency-child.js', import.meta.url)), {
    env: { ...process.env, BENCH_ORDERS: JSON.stringify(orders) },
  });
  try {
    await once(child, 'message');
    await paced(perSecond, orders.count / perSecond, () => queue.publish(topic, bodyOf(200, monotonicMs())));
    const [lags] = (await once(child, 'message')) as [number[]];
    return spreadOf(lags);
  } finally {
    child.kill();
  }
}

/** How long after its due time a delayed message comes, milliseconds; negative is early. */
export async function latenessOf(
  queue: Queue,
  topic: BenchTopic,
  perSecond: number,
  seconds: number,
  delayMs: () => number,
): Promise<Spread & { readonly min: number }> {
  const lags: number[] = [];
  await using _consumer = await queue.consume(topic, ({ message }) => {
    lags.push(monotonicMs() - message.body.at);
  });
  await paced(perSecond, seconds, () => {
    const delay = delayMs();
    return queue.publishAfter(topic, bodyOf(200, monotonicMs() + delay), delay);
  });
  await until(() => lags.length >= perSecond * seconds);
  return { ...spreadOf(lags), min: Math.min(...lags) };
}

/** Waits for what a benchmark cannot do without, at most two minutes. */
export async function until(done: () => boolean): Promise<void> {
  const endAt = performance.now() + 120_000;
  while (!done()) {
    if (performance.now() > endAt) throw new Error('what the benchmark waits for did not come within two minutes');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
