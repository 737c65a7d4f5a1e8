import type { MappedTopic } from './queue/amqp/index.js';
import { type Driver, Refusal } from './queue/driver.js';
import { type Queue, QueueError, type QueueOptions } from './queue/index.js';
import { openDriver } from './queue/queue.js';

type MappedTopics = Readonly<Record<string, MappedTopic>>;

/** Loads a driver only when its scheme is used: what one backend needs is not there for users of another. */
const drivers: Readonly<Record<string, (url: string, topics?: MappedTopics) => Promise<Driver>>> = {
  'memory:': async (url) => (await import('./queue/memory/index.js')).memoryFromUrl(url),
  'amqp:': async (url, topics) => (await import('./queue/amqp/index.js')).amqp(topics ? { url, topics } : url),
  'amqps:': async (url, topics) => (await import('./queue/amqp/index.js')).amqp(topics ? { url, topics } : url),
  'mysql:': async (url) => (await import('./queue/mysql/index.js')).mysqlFromUrl(url),
  'mariadb:': async (url) => (await import('./queue/mysql/index.js')).mysqlFromUrl(url),
  'sqlite:': async (url) => (await import('./queue/sqlite/index.js')).sqliteFromUrl(url),
};

/** The optional peers that a scheme's driver is built on. */
const peers: Readonly<Record<string, string>> = {
  'amqp:': 'amqplib',
  'amqps:': 'amqplib',
  'mysql:': 'mysql2',
  'mariadb:': 'mysql2',
};

/**
 * Opens a queue on the backend that a URL names, or on a driver of your own, and declares its topics there.
 *
 * `memory:` is a store of this queue's own; `memory:NAME` is shared by all queues of this process that use
 * the name. Rejects with `invalid` for bad options or an unknown scheme, `unsupported` where the package of
 * its backend is not installed, and with what the backend answers: `unavailable`, `auth`, `denied`,
 * `topology-mismatch`. Never shows a URL's password.
 */
export async function openQueue(backend: string | Driver, options: QueueOptions): Promise<Queue> {
  if (typeof backend === 'string') return openDriver(await driverOf(backend), options);
  if (isDriver(backend)) {
    checkDriver(backend);
    return openDriver(backend, options);
  }
  throw new QueueError('cannot open a queue: the backend is neither a URL nor a driver; give a URL such as "memory:"', {
    code: 'invalid',
  });
}

/**
 * The driver that a URL names, not yet opened: for the command line, which opens several on one backend. Rejects as `openQueue` does.
 * `topics` is for RabbitMQ alone.
 */
export async function driverOf(url: string, topics?: MappedTopics): Promise<Driver> {
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0].toLowerCase() ?? null;
  const load = scheme === null ? undefined : drivers[scheme];
  if (load !== undefined)
    return load(url, topics).catch((error: unknown) => Promise.reject(asQueueError(error, scheme ?? '')));
  const known = Object.keys(drivers).join(', ');
  // Not the URL itself: it may hold a password.
  const what = scheme === null ? 'the URL has no scheme' : `nothing is known about the scheme "${scheme}"`;
  throw new QueueError(`cannot open a queue: ${what}; use one of ${known}`, { code: 'invalid' });
}

function asQueueError(error: unknown, scheme: string): unknown {
  const missing = missingOf(error, scheme);
  if (missing !== null) {
    return new QueueError(`cannot open a queue: ${missing}`, { code: 'unsupported', cause: error });
  }
  if (!(error instanceof Refusal)) return error;
  return new QueueError(`cannot open a queue: ${error.message}; ${error.remedy}`, { code: error.code });
}

/** What is not installed and what to do about it; null where that is not what went wrong. */
function missingOf(error: unknown, scheme: string): string | null {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  const peer = peers[scheme];
  if (peer !== undefined && code === 'ERR_MODULE_NOT_FOUND') {
    return `its driver needs the package ${peer}; npm install ${peer}`;
  }
  // libsql itself is there, since this package depends on it; its binary is a package of its own per platform.
  if (scheme === 'sqlite:' && (code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND')) {
    return `libsql has no binary for ${process.platform} on ${process.arch} here; install without --omit=optional, or use another backend, such as mysql://user@host/database`;
  }
  return null;
}

const driverFunctions = ['open', 'declare', 'send', 'subscribe', 'classify', 'health', 'close'] as const;

/** A driver of one's own is checked where it is given, not where its missing half is called. */
function checkDriver(driver: Driver): void {
  const missing = driverFunctions.find((name) => typeof driver[name] !== 'function');
  if (missing === undefined) return;
  throw new QueueError(
    `cannot open a queue: the driver has no function "${missing}"; implement Driver of signalbox/driver, or give a URL such as "memory:"`,
    { code: 'invalid' },
  );
}

function isDriver(value: unknown): value is Driver {
  return (
    typeof value === 'object' && value !== null && 'capabilities' in value && 'open' in value && 'subscribe' in value
  );
}
