import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { openQueue } from 'signalbox';
import { expect, test } from 'vitest';
import { compiledProgram } from '../../compiled-sources.js';
import { describeServers, tcpProxy } from '../../servers/index.js';
import { eventually } from '../connection/eventually.js';
import { type LanesWord, orderedTopic } from './lanes-task.js';

compiledProgram('test/amqp/failures/lanes-task.ts'); // the program imports it
const program = compiledProgram('test/amqp/failures/lanes-program.ts');

/** Consumer processes that come and go, and what they said. */
class Crew implements AsyncDisposable {
  readonly words: LanesWord[] = [];
  readonly #children: ChildProcess[] = [];
  readonly #task: string;

  constructor(url: string, name: string) {
    this.#task = JSON.stringify({ url, name });
  }

  start(): void {
    const child = fork(program, [this.#task]);
    child.on('message', (word) => this.words.push(word as LanesWord));
    this.#children.push(child);
  }

  /** The one that has lived longest: it has lanes. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#children.shift();
    if (child === undefined || child.exitCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#children.length > 0) await this.end('SIGKILL');
  }
}

/** First beginnings that came after one of a later message of their key. */
function inversionsIn(words: readonly LanesWord[]): readonly string[] {
  const firsts = new Map<number, LanesWord>();
  for (const word of words) {
    const before = firsts.get(word.n);
    if (before === undefined || word.startedAt < before.startedAt) firsts.set(word.n, word);
  }
  const latest = new Map<string, number>();
  return [...firsts.values()]
    .sort((one, other) => one.startedAt - other.startedAt)
    .flatMap(({ n, key }) => {
      const before = latest.get(key) ?? -1;
      latest.set(key, Math.max(before, n));
      return n < before ? [`${key}: ${n} after ${before}`] : [];
    });
}

/** Handlers of one key that ran at the same time, of those that ran to their end. */
function overlapsIn(words: readonly LanesWord[]): readonly string[] {
  const ended = words.filter((word): word is LanesWord & { endedAt: number } => word.endedAt !== null);
  const byKey = new Map<string, (LanesWord & { endedAt: number })[]>();
  for (const word of ended.sort((one, other) => one.startedAt - other.startedAt)) {
    byKey.set(word.key, [...(byKey.get(word.key) ?? []), word]);
  }
  return [...byKey].flatMap(([key, of]) =>
    of.slice(1).flatMap((word, at) => {
      const before = of[at];
      return before !== undefined && word.startedAt < before.endedAt ? [`${key}: ${word.n} during ${before.n}`] : [];
    }),
  );
}

await describeServers(['rabbitmq'], (_, server) => {
  test('keys stay in order, and no lane stands still, while three processes with asynchronous handlers come and go', async () => {
    const url = await server().freshUrl();
    const topic = orderedTopic('lanes.killed');
    await using queue = await openQueue(url, { topics: [topic] });
    await using crew = new Crew(url, topic.name);
    for (let i = 0; i < 3; i++) crew.start();
    let publishing = true;
    let published = 0;
    const publisher = (async () => {
      for (; publishing; await pause(20)) {
        const entries = Array.from({ length: 12 }, () => ({ body: { n: published }, key: `k${published++ % 50}` }));
        await queue.publishBatch(topic, entries);
      }
    })();
    await eventually('they work', () => crew.words.length > 100, 30_000);

    // With messages in hand and others in line for their lanes: who dies, and who ends as told.
    for (const signal of ['SIGKILL', 'SIGKILL', 'SIGTERM', 'SIGKILL', 'SIGTERM', 'SIGKILL'] as const) {
      await crew.end(signal);
      crew.start();
      const before = crew.words.length;
      await eventually('the lanes go on', () => crew.words.length > before + 200, 20_000);
    }
    publishing = false;
    await publisher;

    const done = (): number => new Set(crew.words.filter(({ endedAt }) => endedAt !== null).map(({ n }) => n)).size;
    await eventually('every message was handled', () => done() === published, 60_000);
    expect(inversionsIn(crew.words)).toEqual([]);
    expect(overlapsIn(crew.words)).toEqual([]);
  }, 240_000);

  test('what waits behind a key is not started when the connection is lost, but comes again in its turn', async () => {
    const url = await server().freshUrl();
    const topic = orderedTopic('lanes.cut');
    await using queue = await openQueue(url, { topics: [topic] });
    await using proxy = await tcpProxy(url);
    await using reader = await openQueue(proxy.url(), { topics: [topic], setup: 'none' });
    await queue.publishBatch(
      topic,
      Array.from({ length: 10 }, (_, n) => ({ body: { n }, key: 'k' })),
    );
    const started: number[] = [];
    await reader.consume(topic, async ({ message: { body } }) => {
      started.push(body.n);
      // The first one is in hand when the connection goes, and the others are held behind it.
      if (started.length === 1) await new Promise<void>((resolve) => reader.events.on('connected', () => resolve()));
    });
    await eventually('the first is in hand', () => started.length === 1);
    await pause(200);

    proxy.cut();

    await eventually('all have come', () => started.includes(9), 20_000);
    expect(started).toEqual([0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  }, 60_000);

  test('lanes are shared out between readers, whoever came first', async () => {
    const url = await server().freshUrl();
    const topic = orderedTopic('lanes.shared');
    await using first = await openQueue(url, { topics: [topic] });
    await using second = await openQueue(url, { topics: [topic] });
    await using third = await openQueue(url, { topics: [topic] });
    const queues = [first, second, third];
    let received: { n: number; key: string; reader: number }[] = [];
    const consume = (queue: typeof first, reader: number) =>
      queue.consume(topic, ({ message: { key, body } }) => {
        received.push({ n: body.n, key: String(key), reader });
      });
    let published = 0;
    const round = async (): Promise<void> => {
      received = [];
      const entries = Array.from({ length: 64 }, (_, at) => ({ body: { n: published++ }, key: `k${at}` }));
      await first.publishBatch(topic, entries);
      await eventually('the round is handled', () => received.length >= 64);
    };
    await consume(first, 0);
    await round();

    for (const reader of [1, 2]) await consume(queues[reader] as typeof first, reader);

    // 64 keys are in all of the 8 lanes; a reader of 3 lanes of 8 gets some 24 of them, and none should have 4.
    const lanesOf = (): readonly number[] => [0, 1, 2].map((r) => received.filter(({ reader }) => reader === r).length);
    await eventually(
      'nobody has more than its share',
      async () => {
        await round();
        return Math.max(...lanesOf()) < 40 && Math.min(...lanesOf()) > 0;
      },
      30_000,
    );
  }, 120_000);
});
