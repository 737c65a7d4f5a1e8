// Of this driver alone: the others' data is in the hands of a server, which is killed in the tests of those.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineTopic, openQueue } from 'signalbox';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { compiledProgram } from '../compiled-sources.js';
import { integrityOf } from './integrity.js';
import type { WorkerOrders } from './programs/worker.js';
import { TemporaryFolder } from './temporary-folder.js';

const rounds = Number(process.env.SIGNALBOX_TEST_KILL_ROUNDS ?? '12');
/** A message may be in hand of every process that is killed: none of that is a crash loop here. */
const topic = defineTopic('killed', { schema: z.object({ n: z.number() }), maxRedeliveries: 1_000 });
const left = defineTopic('left', { schema: z.object({ n: z.number() }) });

test(
  'processes that are killed at any statement of a publish, a claim or a settle lose nothing, double nothing and leave the file whole',
  async () => {
    using folder = new TemporaryFolder();
    const journals: string[] = [];
    const start = (orders: Omit<WorkerOrders, 'path' | 'journal'>): ChildProcess => {
      const journal = join(folder.path, `journal-${journals.length}`);
      journals.push(journal);
      const task: WorkerOrders = { ...orders, path: folder.file, journal };
      return fork(compiledProgram('test/sqlite/programs/worker.ts'), [JSON.stringify(task)]);
    };
    let violations: string[] = [];

    for (let round = 0; round < rounds; round++) {
      const side = round % 2 === 0 ? 'before' : 'after';
      const deaths = [start({ role: 'publish', from: round * 100_000, dieAt: 100 + randomUpTo(300), side })];
      for (let each = 0; each < 2; each++) {
        deaths.push(start({ role: 'consume', from: 0, dieAt: 40 + randomUpTo(260), side }));
      }
      await Promise.all(deaths.map((child) => endOf(child)));
      const integrity = integrityOf(folder.file);
      if (integrity !== 'ok') violations.push(`round ${round}: ${integrity}`);
    }
    await using queue = await openQueue(`sqlite:${folder.file}`, { topics: [topic, left] });
    const said = journals.map((journal) => readJournal(journal));
    const handed = new Map<number, string[]>();
    const told: number[] = [];
    await queue.consume(topic, async (delivery) => {
      const { n } = delivery.message.body;
      handed.set(n, [...(handed.get(n) ?? []), 'at the end']);
      await delivery.outbox.publish(left, { n });
    });
    await queue.consume(left, ({ message }) => void told.push(message.body.n));
    await expect
      .poll(async () => [await depthOf(topic), await depthOf(left)], { timeout: 60_000, interval: 200 })
      .toEqual([0, 0]);

    const all = (what: string) => said.flatMap((lines) => lines.filter(([verb]) => verb === what).map(([, n]) => n));
    const [published, publishing, acked] = [all('published'), new Set(all('publishing')), new Set(all('acked'))];
    violations = [
      ...violations,
      ...published.filter((n) => !acked.has(n) && !told.includes(n)).map((n) => `lost: ${n}`),
      ...[...handed.keys()].filter((n) => !publishing.has(n)).map((n) => `from nowhere: ${n}`),
      ...[...handed.keys()].filter((n) => acked.has(n)).map((n) => `handed out after its ack: ${n}`),
      // One ack, one message of its outbox: however often it was handed out.
      ...told.filter((n, i) => told.indexOf(n) !== i).map((n) => `doubled: ${n}`),
      ...[...acked].filter((n) => !told.includes(n)).map((n) => `the outbox of ${n} did not leave with its ack`),
    ];

    expect(violations).toEqual([]);
    expect(published.length).toBeGreaterThan(rounds * 20);
    expect(acked.size).toBeGreaterThan(rounds);

    async function depthOf(of: typeof topic): Promise<number> {
      const { ready, delayed, inHand } = await queue.admin.depth(of, 'default');
      return (ready ?? 0) + (delayed ?? 0) + (inHand ?? 0);
    }
  },
  120_000 + rounds * 20_000,
);

/** A worker ends by itself; one that has nothing left to do is killed from outside, some time after it has opened its queue. */
async function endOf(child: ChildProcess): Promise<void> {
  let late: NodeJS.Timeout | undefined;
  child.once('message', () => {
    late = setTimeout(() => child.kill('SIGKILL'), 5_000);
  });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  clearTimeout(late);
  if (signal !== 'SIGKILL') throw new Error(`a worker ended by itself, with ${signal ?? code}`);
}

function readJournal(path: string): readonly (readonly [what: string, n: number])[] {
  const lines = readFileSync(path, { encoding: 'utf8', flag: 'a+' }).split('\n').filter(Boolean);
  return lines.map((line) => {
    const [what = '', n] = line.split(' ');
    return [what, Number(n)];
  });
}

const randomUpTo = (most: number): number => Math.floor(Math.random() * most);
