import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
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
  publishBatch,
  topicsOf,
  until,
} from './flow.js';
import { interleaved } from './interleaved.js';
import { collectGarbage } from './measure.js';
import { rateOf } from './pace.js';
import { RawSqlite } from './raw-sqlite.js';

const rounds = 3;
const seconds = 2;
const wide = { prefetch: 256, handlers: 64 };
const mebibyte = 1024 * 1024;
const idleSeconds = 20;

/** SQLite beside the same rows in the same table without signalbox. `file` is made, and removed in the end; empty: one in the folder for temporary files. */
export async function benchSqlite(file: string, { json, only, messages }: BenchOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-bench-'));
  const path = file === '' ? join(folder, 'queue.db') : file;
  if (size(path) > 0) throw new Error(`${path} exists already; name a file that does not, as it is removed in the end`);
  const rawPath = `${path}-raw`;
  const run = Math.random().toString(36).slice(2, 8);
  const topics = topicsOf(run);
  const url = `sqlite:${encodeURI(path)}`;
  try {
    // Twins: the raw rows go where they disturb nobody.
    await (await openQueue(`sqlite:${encodeURI(rawPath)}`, { topics: Object.values(topics) })).close();
    await using queue = await openQueue(url, { topics: Object.values(topics) });
    using raw = new RawSqlite(rawPath, 'full');
    const backlog = messages ?? 50_000;
    const purge = async (): Promise<void> => {
      await queue.admin.removeGroup(topics.unordered, 'default');
      await queue.setup();
      raw.empty();
    };

    const sections = {
      publish: async (): Promise<readonly Figure[]> => {
        const batch = await interleaved(
          rounds,
          () => raw.insertHundreds(seconds, 200),
          () => rateOf(seconds, 4, () => publishBatch(queue, topics.unordered, 100, 200), 100),
        );
        await purge();
        const single = await interleaved(
          rounds,
          () => raw.insertHundreds(seconds, 200),
          () => rateOf(seconds, 64, () => queue.publish(topics.unordered, bodyOf(200))),
        );
        const alone = await interleaved(
          rounds,
          () => raw.insertOne(seconds, 200),
          () => rateOf(seconds, 1, () => queue.publish(topics.unordered, bodyOf(200))),
        );
        await purge();
        return [
          rate('batches of 100', batch.ours, 'inserts, 100 a transaction', batch.raw, 0.5),
          rate('64 concurrent single publishes', single.ours, 'inserts, 100 a transaction', single.raw, 0.3),
          rate('single publishes, one at a time', alone.ours, 'inserts, 1 a transaction', alone.raw, null),
        ];
      },
      consume: async (): Promise<readonly Figure[]> => {
        const through = async (topic: BenchTopic): Promise<number> => {
          await fill(queue, topic, backlog, 200);
          return drain(queue, topic, backlog, wide);
        };
        const unordered = await interleaved(
          rounds,
          async () => raw.deleteHundreds(backlog),
          () => through(topics.unordered),
        );
        const ordered = await interleaved(
          rounds,
          () => through(topics.unordered),
          () => through(topics.ordered),
        );
        const one = raw.deleteOne(Math.min(backlog, 10_000));
        return [
          rate('consume and ack, backlog', unordered.ours, 'deletes, 100 a transaction', unordered.raw, null),
          rate('the same, ordered over 1 000 keys', ordered.ours, 'our unordered', ordered.raw, 0.7),
          plain('raw: deletes, 1 a transaction', one, 'messages/s'),
        ];
      },
      flow: async (): Promise<readonly Figure[]> => {
        const { raw: bare, ours } = await interleaved(
          rounds,
          async () => {
            const inserted = await raw.insertHundreds(seconds, 200);
            return together(inserted, raw.deleteHundreds(backlog));
          },
          async () => {
            const startedAt = performance.now();
            await fill(queue, topics.unordered, backlog, 200);
            const publishedPerSecond = (backlog * 1_000) / (performance.now() - startedAt);
            return together(publishedPerSecond, await drain(queue, topics.unordered, backlog, wide));
          },
        );
        return [rate('publish, consume and ack, batches of 100', ours, 'insert and delete, 100 at once', bare, 0.5)];
      },
      latency: async (): Promise<readonly Figure[]> => {
        const within = await latencyOf(queue, topics.unordered, 100, 5);
        const across = await latencyAcross(queue, topics.unordered, { url, run, count: 1_000 }, 100);
        return [
          milliseconds('publish to handler at 100/s, one process, p50', within.p50, null),
          milliseconds('publish to handler at 100/s, two processes, p50', across.p50, 10),
          milliseconds('publish to handler at 100/s, two processes, p99', across.p99, null),
        ];
      },
      idle: () => idle(queue, topics.unordered),
      room: async (): Promise<readonly Figure[]> => {
        const figures = await room(queue, path, topics.unordered, messages ?? 1_000_000);
        await purge();
        return figures;
      },
    };
    await reportFigures({ backend: 'sqlite', server: sqliteVersion(), node: process.version }, sections, {
      json,
      only,
    });
  } finally {
    for (const each of [path, rawPath]) for (const end of ['', '-wal', '-shm']) rmSync(each + end, { force: true });
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a process that waits costs, in hundredths of a core. */
async function idle(queue: Queue, topic: BenchTopic): Promise<readonly Figure[]> {
  const consumers = await Promise.all(Array.from({ length: 16 }, () => queue.consume(topic, () => {})));
  // What starting leaves is collected by V8 some 8 s later, which took 70 ms: no cost of waiting.
  await pause(12_000);
  const before = process.cpuUsage();
  await pause(idleSeconds * 1_000);
  const { user, system } = process.cpuUsage(before);
  await Promise.all(consumers.map((consumer) => consumer.close()));
  const share = ((user + system) / (idleSeconds * 1e6)) * 100;
  return [{ ...plain('a process with 16 idle subscriptions, of a core', share, '%'), target: atMost(0.5) }];
}

/** A large backlog: what it does to the rates, to memory and to the file, also when it is gone. */
async function room(queue: Queue, path: string, topic: BenchTopic, count: number): Promise<readonly Figure[]> {
  const part = Math.min(50_000, count / 4);
  const publish = async (messages: number): Promise<number> => {
    const startedAt = performance.now();
    await fill(queue, topic, messages, 200);
    return (messages * 1_000) / (performance.now() - startedAt);
  };
  const firstPublish = await publish(part);
  const firstConsume = await drain(queue, topic, part, wide);
  await publish(count - part);
  const fullPublish = await publish(part);
  const [fullFile, fullLog] = [size(path), size(`${path}-wal`)];
  const fullConsume = await drain(queue, topic, part, wide);
  await drainAll(queue, topic);
  // The room is given back within seconds, and the file is cut at the next checkpoint.
  await pause(1_000);
  await until(() => size(path) < fullFile / 4);
  const rows = count.toLocaleString('en');
  collectGarbage();
  return [
    rate(`batches of 100, ${rows} messages in the file`, fullPublish, 'ours, empty file', firstPublish, 0.7),
    rate(`consume and ack, ${rows} messages in the file`, fullConsume, 'ours, empty file', firstConsume, 0.7),
    plain(`file with ${rows} messages`, fullFile / mebibyte, 'MiB'),
    plain(`its log with ${rows} messages`, fullLog / mebibyte, 'MiB'),
    { ...plain('file when they are consumed', size(path) / mebibyte, 'MiB'), target: atMost(32) },
    { ...plain('its log when they are consumed', size(`${path}-wal`) / mebibyte, 'MiB'), target: atMost(64) },
    plain('memory of the process (resident) at the end', process.memoryUsage.rss() / mebibyte, 'MiB'),
  ];
}

/** Consumes and acks whatever is there: `drain` takes more than it counts, by what it has fetched ahead. */
async function drainAll(queue: Queue, topic: BenchTopic): Promise<void> {
  await using _consumer = await queue.consume(topic, () => {}, { prefetch: wide.prefetch, concurrency: wide.handlers });
  for (let left = 1; left > 0; await pause(100)) {
    const { ready, inHand } = await queue.admin.depth(topic);
    left = (ready ?? 0) + (inHand ?? 0);
  }
}

/** Messages per second through both. */
function together(one: number, other: number): number {
  return 1 / (1 / one + 1 / other);
}

function rate(name: string, value: number, rawName: string, raw: number, least: number | null): Figure {
  const target = least === null ? null : atLeast(least);
  return { name, value, unit: 'messages/s', raw: { name: rawName, value: raw }, target };
}

function milliseconds(name: string, value: number, most: number | null): Figure {
  return { name, value, unit: 'ms', raw: null, target: most === null ? null : atMost(most) };
}

function plain(name: string, value: number, unit: Figure['unit']): Figure {
  return { name, value, unit, raw: null, target: null };
}

function sqliteVersion(): string {
  const database = new Libsql(':memory:');
  const { version } = database.prepare('select sqlite_version() as version').all()[0] as { version: string };
  database.close();
  return `SQLite ${version}, synchronous=full`;
}

function size(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
