import type { MappedTopic } from '../../queue/amqp/index.js';
import { QueueError } from '../../queue/index.js';
import type { Config, Origin } from './config.js';
import { settings } from './settings.js';

/** What job requests, and dead ones, are called on a RabbitMQ whose topology somebody else made up. */
export interface ForeignNames {
  readonly exchange: string;
  readonly queue: string;
  readonly routingKey: string;
  readonly dlx: string;
  readonly dlq: string;
}

/** Those of the system whose variables these are: what is not said keeps the meaning that it has there. */
const customary: ForeignNames = {
  exchange: 'solstice.jobs',
  queue: 'solstice.jobs.v1',
  routingKey: 'jobrequest.v1',
  dlx: 'solstice.dlx',
  dlq: 'solstice.jobs.v1.dlq',
};

/** Where that system looks for its broker when nobody says otherwise. */
const customaryUrl = 'amqp://127.0.0.1:5672/%2f';

/** How many requests it holds at once when nobody says otherwise. */
const customaryPrefetch = 64;

/** The names of the queue's URL that say as well that the broker is used as that system uses it. */
const customaryUrlNames: ReadonlySet<string | null> = new Set(['AMQP_URL', '--amqp-url']);

/**
 * Null where neither one of these names was said nor the broker by that system's own variable: then all names are our own. Throws
 * `invalid` where the queue is not on RabbitMQ.
 */
export function foreignNamesOf(config: Config): ForeignNames | null {
  const said = saidName(config);
  if (said === undefined && !customaryUrlNames.has(config.find(settings.queue).origin.name)) return null;
  if (said !== undefined && !isAmqpUrl(queueUrlOf(config))) {
    throw new QueueError(
      `cannot use the queue: ${said.name} gives names of RabbitMQ, and the queue is on another backend; take them out, or name a RabbitMQ with --queue amqp://…`,
      { code: 'invalid' },
    );
  }
  return {
    exchange: config.get(settings.amqpExchange) ?? customary.exchange,
    queue: config.get(settings.amqpQueue) ?? customary.queue,
    routingKey: config.get(settings.amqpRoutingKey) ?? customary.routingKey,
    dlx: config.get(settings.amqpDlx) ?? customary.dlx,
    dlq: config.get(settings.amqpDlq) ?? customary.dlq,
  };
}

/** The queue's URL; where only names of RabbitMQ were said, that system's own. */
export function queueUrlOf(config: Config): string {
  const { value, origin } = config.find(settings.queue);
  return origin.kind === 'default' && saidName(config) !== undefined ? customaryUrl : value;
}

/** How many messages of a topic are held at once. */
export function prefetchOf(config: Config): number {
  const { value, origin } = config.find(settings.prefetch);
  return origin.kind === 'default' && foreignNamesOf(config) !== null ? customaryPrefetch : value;
}

/** Job requests on those names, for the driver. */
export function jobsMapping({ exchange, queue, routingKey, dlx, dlq }: ForeignNames): MappedTopic {
  return {
    exchange: { name: exchange, type: 'direct' },
    routingKey,
    groups: { default: { queue, deadLetters: { exchange: dlx, queue: dlq } } },
  };
}

/** What the default of a setting comes to where those names are used; null for other settings, and where they are not. */
export function foreignValueOf(key: string, config: Config): string | number | null {
  const names = isAmqpUrl(queueUrlOf(config)) ? foreignNamesOf(config) : null;
  if (names === null) return null;
  const { exchange, queue, routingKey, dlx, dlq } = names;
  const values = new Map<string, string | number>([
    [settings.amqpExchange.key, exchange],
    [settings.amqpQueue.key, queue],
    [settings.amqpRoutingKey.key, routingKey],
    [settings.amqpDlx.key, dlx],
    [settings.amqpDlq.key, dlq],
    [settings.prefetch.key, prefetchOf(config)],
  ]);
  return values.get(key) ?? null;
}

function saidName(config: Config): Origin | undefined {
  return foreignSettings.map((setting) => config.find(setting).origin).find(({ kind }) => kind !== 'default');
}

const foreignSettings = [
  settings.amqpExchange,
  settings.amqpQueue,
  settings.amqpRoutingKey,
  settings.amqpDlx,
  settings.amqpDlq,
];

export function isAmqpUrl(url: string): boolean {
  return /^amqps?:/i.test(url);
}
