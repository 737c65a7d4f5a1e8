import { type Consumer, defineTopic, openQueue } from 'signalbox';
import { z } from 'zod';
import type { BenchOptions } from './arguments.js';
import { type Arrivals, IdleDriver } from './idle-driver.js';
import { type Measured, measure } from './measure.js';
import { bodyOf, schema } from './memory.js';

const topic = defineTopic('bench', { schema });
const unchecked = defineTopic('unchecked', { schema: z.any() });
type To = typeof topic | typeof unchecked;

interface Cell extends Measured {
  readonly name: string;
  /** How many entries the driver got at once, on average. */
  readonly grouped: number;
}

/** What the portable layer costs by itself: publishing and consuming apart, on a driver that does nothing. */
export async function benchPortable({ json, messages }: BenchOptions): Promise<void> {
  const count = messages ?? 200_000;
  const slowCount = Math.ceil(count / 10);
  await publishing(16, 0, 20_000); // warm up
  await consuming(64, 0, 20_000);
  const cells = [
    await publishing(16, 0, count),
    await publishing(256, 0, count),
    await publishing(256, 0, count, unchecked),
    await consuming(1, 0, count),
    await consuming(64, 0, count),
    // How full the groups are when an answer takes as long as a fast backend's. The processor time is the waiting's.
    await publishing(16, 0.5, slowCount),
    await publishing(256, 0.5, slowCount),
    await consuming(64, 0.5, slowCount),
  ];
  if (json) console.log(JSON.stringify({ backend: 'none', node: process.version, count, cells }));
  else print(cells);
}

/** So many publishers, each awaiting its publish before the next. */
async function publishing(publishers: number, answerMs: number, count: number, to: To = topic): Promise<Cell> {
  const idle = new IdleDriver(answerMs);
  await using queue = await openQueue(idle.driver, { topics: [topic, unchecked] });
  let sent = 0;
  const publisher = async (_: unknown, nth: number): Promise<void> => {
    // Not all in one turn of the event loop, or they would go in step whatever the layer does.
    for (let turn = 0; turn < nth; turn++) await new Promise((resolve) => setImmediate(resolve));
    while (sent < count) await queue.publish(to, bodyOf(sent++));
  };
  const measured = await measure(count, async () => {
    await Promise.all(Array.from({ length: publishers }, publisher));
  });
  const how = `${publishers} publishers${to === unchecked ? ', no schema' : ''}`;
  return { name: nameOf(how, answerMs), ...measured, grouped: groupedBy(idle.sends) };
}

/** Handlers that do nothing, acked when they return. */
async function consuming(handlers: number, answerMs: number, count: number): Promise<Cell> {
  const idle = new IdleDriver(answerMs);
  await using queue = await openQueue(idle.driver, { topics: [topic, unchecked] });
  await queue.publish(topic, bodyOf(0));
  let handled = 0;
  let consumer: Consumer | null = null;
  const measured = await measure(count, async () => {
    await new Promise<void>((resolve) => {
      const handler = (): void => {
        if (++handled === count) resolve();
      };
      void queue.consume(topic, handler, { concurrency: handlers }).then((made) => {
        consumer = made;
      });
    });
  });
  await (consumer as Consumer | null)?.close();
  return { name: nameOf(`${handlers} handlers`, answerMs), ...measured, grouped: groupedBy(idle.settles) };
}

function nameOf(how: string, answerMs: number): string {
  return answerMs === 0 ? how : `${how}, answers take ${answerMs} ms`;
}

function groupedBy({ calls, entries }: Arrivals): number {
  return entries / calls;
}

function print(cells: readonly Cell[]): void {
  console.log(`the portable layer alone, 200-byte bodies, zod schema, Node ${process.version}\n`);
  console.log(
    `${''.padEnd(40)} ${'messages/s'.padStart(10)} ${'cpu us/msg'.padStart(12)} ${'grouped by'.padStart(12)}`,
  );
  for (const { name, perSecond, cpuMicrosPerMessage, grouped } of cells)
    console.log(
      `${name.padEnd(40)} ${Math.round(perSecond).toLocaleString('en').padStart(10)} ${cpuMicrosPerMessage.toFixed(1).padStart(12)} ${grouped.toFixed(1).padStart(12)}`,
    );
}
