import { openQueue } from 'signalbox';
import { consumePlan } from './consume.js';
import { errorCode } from './error-code.js';
import { FileJournal, monotonicMs } from './journal.js';
import type { Plan } from './plan.js';
import { publishPlan } from './publish.js';
import { topicsOf } from './topics.js';

/** What a child process is told, as JSON in SOAK_ORDERS: an argument would show the URL's password to everybody. */
export interface Orders extends Plan {
  readonly role: 'publish' | 'consume';
  readonly url: string;
  readonly run: string;
  readonly process: string;
  readonly journal: string;
  readonly durationMs: number;
}

const orders = JSON.parse(process.env.SOAK_ORDERS ?? '') as Orders;
const { role, url, run, seed, messages, mix, durationMs } = orders;
using journal = new FileJournal(orders.journal);
const topics = topicsOf(run);
const queue = await open();
if (role === 'publish') {
  await publishPlan(queue, topics, journal, { seed, messages, mix, durationMs });
} else {
  await consumePlan(queue, topics, journal, { seed, messages, mix, process: orders.process });
  await new Promise((resolve) => process.once('SIGTERM', resolve));
}
await queue.close();

/** A process that starts while the server is down keeps trying, as under a supervisor. */
async function open() {
  for (;;) {
    try {
      return await openQueue(url, { topics: Object.values(topics), setup: 'none', name: orders.process });
    } catch (error) {
      journal.write({ e: 'error', operation: 'open', code: errorCode(error), at: monotonicMs() });
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
