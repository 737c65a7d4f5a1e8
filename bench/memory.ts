import { type Consumer, defineTopic, openQueue, type Queue } from 'signalbox';
import { memory } from 'signalbox/memory';
import { z } from 'zod';
import type { BenchOptions } from './arguments.js';
import { heapMegabytes, type Measured, measure } from './measure.js';
import { rawMemory } from './memory-raw.js';

export const schema = z.object({ id: z.number(), repository: z.string(), commit: z.string(), note: z.string() });
const topic = defineTopic('bench', { schema });
type Body = z.input<typeof schema>;

/** About 200 bytes as JSON. */
export const bodyOf = (id: number): Body => ({
  id,
  repository: 'https://git.example.org/widgets',
  commit: 'c'.repeat(40),
  note: 'n'.repeat(60),
});

interface Cell extends Measured {
  readonly name: string;
  /** Share of the driver's own rate, measured in the same run. */
  readonly ofRaw: number;
}

/** Messages that are published but not consumed yet: a publisher that outruns its consumer measures the heap, not the queue. */
const window = 1_024;
const batchSize = 100;

/** Publish, consume and ack through the portable layer, beside the same messages through the bare driver. */
export async function benchMemory({ json, messages }: BenchOptions): Promise<void> {
  const count = messages ?? 200_000;
  await cell(1, 1, 20_000); // warm up
  await cell(64, batchSize, 20_000);
  const raw = await measure(count, () => rawMemory(count, batchSize));
  const cells: Cell[] = [];
  for (const handlers of [1, 64]) {
    for (const batch of [1, batchSize]) {
      const measured = await cell(handlers, batch, count);
      cells.push({
        name: `${handlers} handlers, ${batch === 1 ? 'single' : `batches of ${batch}`}`,
        ...measured,
        ofRaw: measured.perSecond / raw.perSecond,
      });
    }
  }
  const heap = await heapOver(messages === null ? 2_000_000 : messages * 10);
  if (json) console.log(JSON.stringify({ backend: 'memory', node: process.version, count, raw, cells, heap }));
  else print(raw, cells, heap);
}

async function cell(handlers: number, batch: number, count: number): Promise<Measured> {
  await using queue = await openQueue(memory(), { topics: [topic] });
  // Awaited here, or the queue would be closed under it.
  return await measure(count, () => flow(queue, handlers, batch, count));
}

/** `count` messages in, `count` messages acked, never more than a window of them under way. */
async function flow(queue: Queue, handlers: number, batch: number, count: number): Promise<void> {
  let handled = 0;
  let waiting: (() => void)[] = [];
  const progress = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));
  const consumer: Consumer = await queue.consume(
    topic,
    () => {
      handled++;
      if (waiting.length === 0) return;
      const woken = waiting;
      waiting = [];
      for (const wake of woken) wake();
    },
    { concurrency: handlers },
  );
  let sent = 0;
  const publisher = async (): Promise<void> => {
    while (sent < count) {
      const from = sent;
      sent += batch;
      if (batch === 1) await queue.publish(topic, bodyOf(from));
      else
        await queue.publishBatch(
          topic,
          Array.from({ length: Math.min(batch, count - from) }, (_, i) => ({ body: bodyOf(from + i) })),
        );
      while (sent - handled > window) await progress();
    }
  };
  await Promise.all(batch === 1 ? Array.from({ length: 64 }, publisher) : [publisher()]);
  while (handled < count) await progress();
  await consumer.close();
}

/** Heap after the first tenth and at the end: what grows with the messages would show. */
async function heapOver(
  count: number,
): Promise<{ readonly messages: number; readonly afterTenthMb: number; readonly atEndMb: number }> {
  await using queue = await openQueue(memory(), { topics: [topic] });
  await flow(queue, 64, batchSize, count / 10);
  const afterTenthMb = heapMegabytes();
  await flow(queue, 64, batchSize, (count / 10) * 9);
  return { messages: count, afterTenthMb, atEndMb: heapMegabytes() };
}

function print(raw: Measured, cells: readonly Cell[], heap: Awaited<ReturnType<typeof heapOver>>): void {
  const line = (name: string, { perSecond, cpuMicrosPerMessage }: Measured, ofRaw: number): void =>
    console.log(
      `${name.padEnd(30)} ${Math.round(perSecond).toLocaleString('en').padStart(10)} ${cpuMicrosPerMessage.toFixed(1).padStart(12)} ${ofRaw.toFixed(2).padStart(8)}`,
    );
  console.log(`memory, publish → consume → ack, 200-byte bodies, zod schema, Node ${process.version}\n`);
  console.log(`${''.padEnd(30)} ${'messages/s'.padStart(10)} ${'cpu us/msg'.padStart(12)} ${'of raw'.padStart(8)}`);
  line(`bare driver, batches of ${batchSize}`, raw, 1);
  for (const one of cells) line(one.name, one, one.ofRaw);
  console.log(
    `\nheap over ${heap.messages.toLocaleString('en')} messages: ${heap.afterTenthMb.toFixed(1)} MB after a tenth, ${heap.atEndMb.toFixed(1)} MB at the end`,
  );
}
