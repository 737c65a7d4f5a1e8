import { defineTopic, openQueue, type Queue, type Topic, type TopicOptions } from 'signalbox';
import { type MysqlOptions, mysql } from 'signalbox/mysql';
import { z } from 'zod';

const schema = z.object({ n: z.number(), text: z.string().optional() });
export type JobTopic = Topic<typeof schema>;

let topics = 0;

/** A topic of numbered jobs, under a name of its own unless it is given one. */
export function jobTopic(options: Partial<TopicOptions<typeof schema>> = {}, name = `jobs.${++topics}`): JobTopic {
  return defineTopic(name, { schema, backoff: { initialMs: 50, maxMs: 200, jitter: 0 }, ...options });
}

/** One process, as far as the database can tell: a queue on a driver of its own. Closed at the end of the block, with no patience for handlers. */
export async function openProcess(topic: Topic | readonly Topic[], options: MysqlOptions): Promise<TestQueue> {
  const queue = await openQueue(mysql(options), { topics: Array.isArray(topic) ? topic : [topic] });
  return Object.assign(queue, { [Symbol.asyncDispose]: () => queue.close({ deadlineMs: 500 }) });
}

export type TestQueue = Queue;

/** Resolves from outside: handlers wait for it. */
export class Gate {
  readonly opened: Promise<void>;
  open: () => void = () => {};

  constructor() {
    this.opened = new Promise((resolve) => {
      this.open = resolve;
    });
  }
}
