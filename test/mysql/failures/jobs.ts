import { openQueue, type Queue, type Topic } from 'signalbox';
import { type MysqlOptions, mysql } from 'signalbox/mysql';

export { Gate, type JobTopic, jobTopic } from '../../jobs.js';

/** One process, as far as the database can tell: a queue on a driver of its own. Closed at the end of the block, with no patience for handlers. */
export async function openProcess(topic: Topic | readonly Topic[], options: MysqlOptions): Promise<TestQueue> {
  const queue = await openQueue(mysql(options), { topics: Array.isArray(topic) ? topic : [topic] });
  return Object.assign(queue, { [Symbol.asyncDispose]: () => queue.close({ deadlineMs: 500 }) });
}

export type TestQueue = Queue;
