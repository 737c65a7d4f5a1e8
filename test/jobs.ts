import { defineTopic, type Topic, type TopicOptions } from 'signalbox';
import { z } from 'zod';

const schema = z.object({ n: z.number(), text: z.string().optional() });
export type JobTopic = Topic<typeof schema>;

let topics = 0;

/** A topic of numbered jobs, under a name of its own unless it is given one. */
export function jobTopic(options: Partial<TopicOptions<typeof schema>> = {}, name = `jobs.${++topics}`): JobTopic {
  return defineTopic(name, { schema, backoff: { initialMs: 50, maxMs: 200, jitter: 0 }, ...options });
}

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
