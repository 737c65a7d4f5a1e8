import { QueueError } from '../../queue/index.js';
import type { Config } from './config.js';
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

/** Null where none of these names was said: then all names are our own. Throws `invalid` where the queue is not on RabbitMQ. */
export function foreignNamesOf(config: Config): ForeignNames | null {
  const said = foreignSettings.map((setting) => config.find(setting)).find(({ origin }) => origin.kind !== 'default');
  if (said === undefined) return null;
  if (!isAmqpUrl(config.get(settings.queue))) {
    throw new QueueError(
      `cannot use the queue: ${said.origin.name} gives names of RabbitMQ, and the queue is on another backend; take them out, or name a RabbitMQ with --queue amqp://…`,
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
