import { openQueue } from '../open-queue.js';
import { jobRequestVersion, orchestratorTopics } from '../orchestrator/index.js';
import { type Driver, type Queue, QueueError, type Topic } from '../queue/index.js';
import type { Config } from './config/config.js';
import { foreignNamesOf, jobsMapping, queueUrlOf } from './config/foreign-names.js';
import { isOwnFile } from './config/settings.js';
import { existingQueue } from './existing-queue.js';
import { type CommonFlags, configOf } from './flags.js';
import type { CliIo } from './io.js';
import { loggerOf } from './logging.js';
import { makeOwnFolder, missingText } from './own-folder.js';
import { printable } from './printable.js';
import { isMysqlUrl, isSqliteUrl } from './schemas.js';

/** Where a URL leads: any number of clients of the same messages. */
export interface Backend {
  /** A driver, not yet opened. Whoever opens it closes it. */
  driver(): Promise<Driver>;
  /** The routing key of job requests there. */
  readonly jobsKey: string;
}

/** What the configuration leads to: the only way of a command to its messages. */
export async function configuredBackend(config: Config, io: CliIo): Promise<Backend> {
  const url = queueUrlOf(config);
  const names = foreignNamesOf(config);
  if (names !== null) {
    const { jobs } = orchestratorTopics();
    const topics = { [jobs.name]: jobsMapping(names) };
    return { driver: () => io.connect(url, topics), jobsKey: names.routingKey };
  }
  if (isOwnFile(url)) makeOwnFolder(url);
  return backendOf(url, io);
}

/** The same for a command that only looks, and makes nothing. Rejects with `not-found` where the file is not there, or no queue in the file or database. */
export async function existingBackend(config: Config, io: CliIo): Promise<Backend> {
  const url = queueUrlOf(config);
  const missing = missingText(url);
  if (missing !== '') throw new QueueError(`cannot open a queue${missing}`, { code: 'not-found' });
  if (!isSqliteUrl(url) && !isMysqlUrl(url)) return configuredBackend(config, io);
  return backendOf(await existingQueue('open a queue', url), io);
}

/** `memory:` is a store of this command's own, on its clock; everything else is as `openQueue` reads it. */
export async function backendOf(url: string, io: CliIo): Promise<Backend> {
  if (!isPrivateMemory(url)) return { driver: () => io.connect(url), jobsKey: jobRequestVersion };
  const { memory, memoryStore } = await import('../queue/memory/index.js');
  const store = memoryStore({ clock: io.clock });
  return { driver: async () => memory({ store }), jobsKey: jobRequestVersion };
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
  use: (queue: Queue, config: Config, backend: Backend) => Promise<T>,
): Promise<T> {
  const config = await configOf(io, flags);
  const backend = await (topics.length === 0 ? existingBackend : configuredBackend)(config, io);
  const queue = await openQueue(await backend.driver(), {
    topics,
    logger: loggerOf(io, flags, config),
    setup: topics.length === 0 ? 'none' : 'assert',
  });
  // A publish is tried on for half a minute, and nobody would know why it takes so long. The log says it too.
  if (!flags.verbose) {
    queue.events.on('blocked', ({ reason }) => {
      io.stderr.write(`the backend takes no messages at present: ${printable(reason)}; trying again for a while\n`);
    });
  }
  try {
    return await use(queue, config, backend);
  } finally {
    await queue.close();
  }
}
