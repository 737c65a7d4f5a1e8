import type { Clock } from './clock.js';
import type { Driver } from './driver.js';
import { QueueError } from './errors.js';
import type { Events } from './events.js';
import type { Logger } from './logger.js';
import { kindOf } from './names.js';
import { isTopic, type Topic } from './topic.js';

/** What everything that belongs to one open queue shares. */
export interface QueueContext {
  readonly driver: Driver;
  readonly clock: Clock;
  readonly random: () => number;
  readonly events: Events;
  readonly logger: Logger;
  /** By name: the topics that were given to `openQueue`. */
  readonly topics: ReadonlyMap<string, Topic>;
  /** Unique per open queue: host, process and a number. Part of every consumer's name and of every nonce. */
  readonly name: string;
  /** `draining`: `close` has begun, and handlers that still run may publish; `closed`: they have ended. */
  phase(): Phase;
  /** Aborted when the phase becomes `closed`: ends what waits for something other than the backend. */
  readonly closed: AbortSignal;
}

/** Rejects a topic that this queue was not opened with: nobody has declared it, so a message to it could vanish. */
export function checkTopic(context: QueueContext, operation: string, topic: Topic): void {
  const known = context.topics.get(topic?.name);
  if (known !== undefined && known === topic) return;
  if (!isTopic(topic)) {
    throw new QueueError(
      `cannot ${operation}: the topic is ${kindOf(topic)}; give the value that defineTopic answered`,
      { code: 'invalid' },
    );
  }
  throw new QueueError(
    `cannot ${operation}: the topic is not among those that openQueue was given; add it to openQueue's topics`,
    { code: 'not-found' },
  );
}

export type Phase = 'open' | 'draining' | 'closed';

/** For what starts something: not once `close` has begun. */
export function checkOpen(context: QueueContext, operation: string): void {
  if (context.phase() !== 'open') throw closedError(operation);
}

/** For what a handler may need to come to its end: until the last one has. */
export function checkNotClosed(context: QueueContext, operation: string): void {
  if (context.phase() === 'closed') throw closedError(operation);
}

export function closedError(operation: string): QueueError {
  return new QueueError(`cannot ${operation}: the queue is closed; open it again`, { code: 'closed' });
}
