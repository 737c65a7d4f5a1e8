import { openQueue } from '../open-queue.js';
import { type Driver, type Queue, QueueError, type Topic } from '../queue/index.js';
import type { Config } from './config/config.js';
import { foreignNamesOf } from './config/foreign-names.js';
import { isOwnFile, settings } from './config/settings.js';
import { type CommonFlags, configOf } from './flags.js';
import type { CliIo } from './io.js';
import { loggerOf } from './logging.js';
import { makeOwnFolder } from './own-folder.js';

/** Where a URL leads: any number of clients of the same messages. */
export interface Backend {
  /** A driver, not yet opened. Whoever opens it closes it. */
  driver(): Promise<Driver>;
}

/** What the configuration leads to: the only way of a command to its messages. */
export async function configuredBackend(config: Config, io: CliIo): Promise<Backend> {
  if (foreignNamesOf(config) !== null) {
    throw new QueueError(
      'cannot use the queue: names of exchanges and queues were given, and this release cannot serve job requests under names that are not its own; take out amqp.* from the configuration, or the AMQP_ variables but AMQP_URL and AMQP_PREFETCH',
      { code: 'unsupported' },
    );
  }
  const url = config.get(settings.queue);
  if (isOwnFile(url)) makeOwnFolder(url);
  return backendOf(url, io);
}

/** `memory:` is a store of this command's own, on its clock; everything else is as `openQueue` reads it. */
export async function backendOf(url: string, io: CliIo): Promise<Backend> {
  if (!isPrivateMemory(url)) return { driver: () => io.connect(url) };
  const { memory, memoryStore } = await import('../queue/memory/index.js');
  const store = memoryStore({ clock: io.clock });
  return { driver: async () => memory({ store }) };
}

/** Whether nobody but this command can ever reach the queue. */
export function isPrivateMemory(url: string): boolean {
  return /^memory:(?:\/\/)?$/i.test(url);
}

export interface QueueUse {
  readonly io: CliIo;
  readonly flags: CommonFlags;
  /** What the command publishes or reads; empty where it only looks. */
  readonly topics: readonly Topic[];
}

/** Opens the queue of a command that asks or sends something, and closes it whatever happens. */
export async function withQueue<T>(
  { io, flags, topics }: QueueUse,
  use: (queue: Queue, config: Config) => Promise<T>,
): Promise<T> {
  const config = await configOf(io, flags);
  const backend = await configuredBackend(config, io);
  const queue = await openQueue(await backend.driver(), {
    topics,
    logger: loggerOf(io, flags, config),
    setup: topics.length === 0 ? 'none' : 'assert',
  });
  try {
    return await use(queue, config);
  } finally {
    await queue.close();
  }
}
