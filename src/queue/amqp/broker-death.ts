import { type AmqpHeaders, maxTimeMs } from './headers.js';

/** One entry of `x-death`: what RabbitMQ writes on a message that it dead-letters. */
export interface BrokerDeath {
  /** `rejected`, `expired`, `maxlen`, `delivery_limit`. */
  readonly reason: string;
  readonly queue: string;
  readonly exchange: string;
  readonly routingKey: string;
  /** Epoch seconds. */
  readonly seconds: number | null;
  readonly count: number;
}

/** All of them, the latest first; empty where the broker has not dead-lettered it, or somebody wrote something else there. */
export function brokerDeathsOf(headers: AmqpHeaders): readonly BrokerDeath[] {
  const written = headers['x-death'];
  return Array.isArray(written) ? written.flatMap((entry: unknown) => deathOf(entry)) : [];
}

/** The first that befell it: there, it still had the exchange and the key that it was published with. */
export function firstDeathOf(headers: AmqpHeaders): BrokerDeath | null {
  return headers['x-death'] === undefined ? null : (brokerDeathsOf(headers).at(-1) ?? null);
}

function deathOf(entry: unknown): readonly BrokerDeath[] {
  if (typeof entry !== 'object' || entry === null) return [];
  const { reason, queue, exchange, time, count, 'routing-keys': keys } = entry as Readonly<Record<string, unknown>>;
  if (typeof reason !== 'string' || typeof queue !== 'string' || typeof exchange !== 'string') return [];
  const [routingKey = ''] = Array.isArray(keys) ? (keys as readonly unknown[]) : [];
  return [
    {
      ...{ reason, queue, exchange, routingKey: typeof routingKey === 'string' ? routingKey : '' },
      seconds: secondsOf(time),
      count: typeof count === 'number' ? count : 1,
    },
  ];
}

/** Of amqplib's form of a time stamp. */
function secondsOf(time: unknown): number | null {
  const value: unknown = typeof time === 'object' && time !== null && 'value' in time ? time.value : time;
  return typeof value === 'number' && Math.abs(value) * 1_000 <= maxTimeMs ? value : null;
}
