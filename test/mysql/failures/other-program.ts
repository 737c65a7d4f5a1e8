// Runs in a process of its own (see `other-process.ts`).
import { z } from 'zod';
import { defineTopic, openQueue } from '../../../src/index.js';
import { mysql } from '../../../src/queue/mysql/index.js';
import type { OtherTask } from './other-process.js';

const task = JSON.parse(process.argv[2] ?? '{}') as OtherTask;
const right = Date.now;
Date.now = () => right() + task.clockOffsetMs;

const say = (what: string | number): void => {
  process.send?.(what);
};
const topic = defineTopic(task.topic, { schema: z.object({ n: z.number() }), ordering: task.ordering });
const queue = await openQueue(mysql({ url: task.url, leaseMs: task.leaseMs }), { topics: [topic] });
if (task.holds) {
  await queue.consume(topic, async ({ message: { body } }) => {
    say(body.n);
    await new Promise(() => {});
  });
}
say('ready');
for (const { n, delayMs } of task.publish) await queue.publishAfter(topic, { n }, delayMs);
say('published');
