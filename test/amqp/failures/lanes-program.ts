// Runs in a process of its own (see `lanes.test.ts`): consumes in order until it is killed, or told to end.
import { setTimeout as pause } from 'node:timers/promises';
import { openQueue } from '../../../src/index.js';
import { type LanesTask, type LanesWord, orderedTopic } from './lanes-task.js';

const { url, name } = JSON.parse(process.argv[2] ?? '{}') as LanesTask;
const topic = orderedTopic(name);
const queue = await openQueue(url, { topics: [topic], setup: 'none' });

/** CLOCK_MONOTONIC, which all processes share. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6;
const say = (word: LanesWord): void => {
  process.send?.(word);
};

await queue.consume(topic, async ({ message: { key, body } }) => {
  const startedAt = now();
  say({ n: body.n, key: String(key), startedAt, endedAt: null });
  await pause(Math.random() * 4);
  say({ n: body.n, key: String(key), startedAt, endedAt: now() });
});
process.once('SIGTERM', async () => {
  await queue.close();
  process.disconnect();
});
