// Runs in a thread of its own (see `threads.test.ts`): takes one message of a topic and keeps it in hand.
import { parentPort, workerData } from 'node:worker_threads';
import { sqlite } from '../../../src/queue/sqlite/index.js';

const driver = sqlite({ path: workerData as string });
await driver.open({ logger: { info() {}, warn() {} }, emit() {} });
const reader = await driver.subscribe({
  ...{ topic: 'plain', group: 'default', prefetch: 1, consumer: 'thread', onLost: () => {} },
});
const received = await reader.receive(1, 60_000, new AbortController().signal);
parentPort?.postMessage(received.length);
// Keeps the thread.
parentPort?.on('message', () => {});
