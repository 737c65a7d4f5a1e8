import { z } from 'zod';
import { type Clock, QueueError, Refusal } from '../driver.js';
import {
  type ConnectionParts,
  type ConnectionSettings,
  settingsFromParts,
  settingsFromUrl,
} from './connection/index.js';
import { type MappedTopic, type Mapping, mappedTopicSchema } from './mapped/mapped-topic.js';
import type { QueueType } from './queue-arguments.js';

/** Where the broker is, as a URL or in parts, and how its queues are made and called. */
export interface AmqpOptions extends ConnectionParts {
  /** `amqp[s]://user:password@host[:port][,host[:port]…]/vhost?options`, instead of the parts. */
  readonly url?: string;
  /** First part of the names of all exchanges and queues, without dots. Default `signalbox`. */
  readonly prefix?: string;
  /**
   * Of what waits for groups. `classic` publishes up to twice as fast on RabbitMQ 4, is kept by one node, and does not
   * count redeliveries, so that nothing ends a crash loop. Default `quorum`.
   */
  readonly queueType?: QueueType;
  /**
   * Of the queue that all delays end in. Default: `classic` with one host, since after a kill it is there before anything is
   * handed over to it; `quorum` with several, since a classic queue goes with its node.
   */
  readonly dueQueueType?: QueueType;
  /** What the broker's tools call the connections. Default: `signalbox` and the process. */
  readonly connectionName?: string;
  /** Topics that are on exchanges and queues of somebody else, by name. The others are on ours. */
  readonly topics?: Readonly<Record<string, MappedTopic>>;
  /** Default: the machine's, counted on by the monotonic clock. Only spans are measured with it. */
  readonly clock?: Clock;
}

export interface DriverSettings {
  readonly connection: ConnectionSettings;
  readonly prefix: string;
  readonly queueType: QueueType;
  readonly dueQueueType: QueueType;
  readonly connectionName: string;
  readonly topics: Readonly<Record<string, Mapping>>;
  readonly clock: Clock | null;
}

const ownNames = ['url', 'prefix', 'queueType', 'dueQueueType', 'connectionName', 'topics', 'clock'] as const;
const urlNames = ['prefix', 'queueType', 'dueQueueType', 'connectionName'] as const;

/** Checks everything; throws an `invalid` QueueError, which shows no password. */
export function settingsOf(given: string | AmqpOptions): DriverSettings {
  try {
    return typeof given === 'string' ? fromUrl(given, {}) : fromOptions(given);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new QueueError(`cannot make a RabbitMQ driver: ${error.message}; ${error.remedy}`, { code: error.code });
  }
}

function fromOptions(options: AmqpOptions): DriverSettings {
  if (typeof options !== 'object' || options === null) {
    throw new Refusal('invalid', 'the options are no object', 'give a URL, or options with a url or a host');
  }
  const { url, prefix, queueType, dueQueueType, connectionName, topics, clock, ...parts } = options;
  const own = { prefix, queueType, dueQueueType, connectionName, topics, clock };
  if (url === undefined) return complete(settingsFromParts(parts), own);
  const other = Object.keys(parts)[0];
  if (other !== undefined) {
    throw new Refusal('invalid', `both a url and "${other}" are given`, `say it in the url, or leave the url out`);
  }
  return fromUrl(url, own);
}

function fromUrl(url: string, own: OwnOptions): DriverSettings {
  const { settings, ownOptions } = settingsFromUrl(url, [...urlNames]);
  const twice = urlNames.find((name) => own[name] !== undefined && ownOptions.has(name));
  if (twice !== undefined) {
    throw new Refusal('invalid', `"${twice}" is given in the url and beside it`, 'leave one of them out');
  }
  return complete(settings, { ...Object.fromEntries(ownOptions), ...definedOf(own) });
}

type OwnOptions = { readonly [name in Exclude<(typeof ownNames)[number], 'url'>]?: AmqpOptions[name] | undefined };

function definedOf(own: OwnOptions): OwnOptions {
  return Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
}

function complete(connection: ConnectionSettings, own: OwnOptions): DriverSettings {
  const { prefix = 'signalbox', connectionName = `signalbox ${process.pid}`, clock = null } = own;
  const { queueType = 'quorum', dueQueueType = connection.hosts.length > 1 ? 'quorum' : 'classic' } = own;
  if (typeof prefix !== 'string' || !/^[A-Za-z0-9_-]{1,40}$/.test(prefix)) {
    throw new Refusal('invalid', 'the prefix is not 1 to 40 letters, digits, dashes or underscores', 'correct it');
  }
  for (const [name, value] of Object.entries({ queueType, dueQueueType })) {
    if (value === 'quorum' || value === 'classic') continue;
    throw new Refusal('invalid', `${name} is neither "quorum" nor "classic"`, 'correct it, or leave it out');
  }
  if (typeof connectionName !== 'string' || connectionName === '') {
    throw new Refusal('invalid', 'the connectionName is no text', 'give one, or leave it out');
  }
  if (clock !== null && !isClock(clock)) {
    throw new Refusal('invalid', 'the clock is no Clock, with the functions now and schedule', 'leave it out');
  }
  const topics = mappingsOf(own.topics);
  return { connection, prefix, queueType, dueQueueType, connectionName, topics, clock };
}

function isClock(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return ['now', 'schedule'].every((name) => typeof Reflect.get(value, name) === 'function');
}

function mappingsOf(given: unknown): Readonly<Record<string, Mapping>> {
  if (given === undefined) return {};
  const read = z
    .record(z.string(), mappedTopicSchema, 'must be an object from topics to their mapping')
    .safeParse(given);
  if (read.success) return read.data;
  const faults = read.error.issues.map(({ path, message }) => `${['topics', ...path].join('.')} ${message}`);
  throw new Refusal('invalid', faults.join('; '), 'correct it, or leave it out');
}
