import { openQueue } from '../open-queue.js';
import type { Driver, Queue, Topic } from '../queue/index.js';
import { type CommonFlags, loggerOf, queueUrl } from './flags.js';
import type { CliIo } from './io.js';

/** Where a URL leads: any number of clients of the same messages. */
export interface Backend {
  /** A driver, not yet opened. Whoever opens it closes it. */
  driver(): Promise<Driver>;
}

const privateMemory = /^memory:(?:\/\/)?$/i;

/** `memory:` is a store of this command's own, on its clock; everything else is as `openQueue` reads it. */
export async function backendOf(url: string, io: CliIo): Promise<Backend> {
  if (!privateMemory.test(url)) return { driver: () => io.connect(url) };
  const { memory, memoryStore } = await import('../queue/memory/index.js');
  const store = memoryStore({ clock: io.clock });
  return { driver: async () => memory({ store }) };
}

/** Opens the queue of a command that asks or sends something, and closes it whatever happens. */
export async function withQueue<T>(
  operation: string,
  { io, flags, topics }: { readonly io: CliIo; readonly flags: CommonFlags; readonly topics: readonly Topic[] },
  use: (queue: Queue) => Promise<T>,
): Promise<T> {
  const backend = await backendOf(queueUrl(operation, flags, io.env), io);
  const queue = await openQueue(await backend.driver(), {
    topics,
    logger: loggerOf(io, flags),
    setup: topics.length === 0 ? 'none' : 'assert',
  });
  try {
    return await use(queue);
  } finally {
    await queue.close();
  }
}
