import { randomUUID } from 'node:crypto';
import { openQueue, type Queue, type QueueOptions, type Topic } from 'signalbox';
import { type AmqpOptions, amqp } from 'signalbox/amqp';

export { Gate, type JobTopic, jobTopic } from '../../jobs.js';

/** One process, as far as the broker can tell: a queue on a driver of its own. Closed at the end of the block, with no patience for handlers. */
export async function openProcess(
  topic: Topic | readonly Topic[],
  url: string | AmqpOptions,
  options: Omit<QueueOptions, 'topics'> = {},
): Promise<TestQueue> {
  const queue = await openQueue(amqp(url), { ...options, topics: Array.isArray(topic) ? topic : [topic] });
  return Object.assign(queue, { [Symbol.asyncDispose]: () => queue.close({ deadlineMs: 500 }) });
}

export type TestQueue = Queue & AsyncDisposable;

/** Options of a driver whose connections can be told from all others. */
export function named(url: string): AmqpOptions & { readonly connectionName: string } {
  return { url, connectionName: `victim-${randomUUID()}` };
}

/** The queue of a group of an unordered topic, as `names.ts` writes it. */
export function queueOf(topic: Topic, group = 'default', prefix = 'signalbox'): string {
  return `${prefix}.q.${topic.name.replaceAll('.', ':')}.${group}`;
}

export function deadQueueOf(topic: Topic, group = 'default', prefix = 'signalbox'): string {
  return `${prefix}.dead.${topic.name.replaceAll('.', ':')}.${group}`;
}

export function exchangeOf(topic: Topic, prefix = 'signalbox'): string {
  return `${prefix}.to.${topic.name.replaceAll('.', ':')}`;
}
