import { type Queue, QueueError } from '../queue/index.js';

/** Refuses a queue that would end with the command, and with it what the command has sent. */
export function requireDurable(operation: string, queue: Queue, instead = ''): void {
  if (queue.capabilities.durable) return;
  throw new QueueError(
    `cannot ${operation}: this queue lives in one process and would end with this command; name one that outlives it with --queue${instead}`,
    { code: 'unsupported', backend: queue.health().backend },
  );
}
