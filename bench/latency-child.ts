import { openQueue } from 'signalbox';
import { topicsOf } from './flow.js';
import { monotonicMs } from './pace.js';

export interface LatencyOrders {
  readonly url: string;
  readonly run: string;
  readonly count: number;
}

/** The other end of `latencyAcross`: says that it listens, then, after so many messages, how long each took. */
const { url, run, count } = JSON.parse(process.env.BENCH_ORDERS ?? '') as LatencyOrders;
const topics = topicsOf(run);
const queue = await openQueue(url, { topics: Object.values(topics), setup: 'none' });
const lags: number[] = [];
await queue.consume(topics.unordered, ({ message }) => {
  lags.push(monotonicMs() - message.body.at);
  if (lags.length === count) process.send?.(lags);
});
process.send?.('listening');
