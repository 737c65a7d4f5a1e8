import { isShortString } from './connection/index.js';
import { type AmqpHeaders, header, numberOf, parsed, textOf } from './headers.js';
import type { EncodedMessage } from './message-coding.js';

/** Where a delayed message goes when it falls due, and who is told if that is gone. */
export interface Destination {
  readonly exchange: string;
  readonly routingKey: string;
  readonly topic: string;
  /** The groups that it is for. Where it goes to an exchange: that accepted it when it was sent, which may be more or fewer by then. */
  readonly groups: readonly string[];
}

/** A message on its way through the queues of delays. */
export interface Hop {
  readonly restMs: number;
  readonly destination: Destination;
}

export function withHop({ body, properties }: EncodedMessage, { restMs, destination }: Hop): EncodedMessage {
  return {
    body,
    properties: {
      ...properties,
      headers: {
        ...properties.headers,
        [header.restMs]: restMs,
        [header.toExchange]: destination.exchange,
        [header.toRoutingKey]: destination.routingKey,
        [header.topic]: destination.topic,
        [header.groups]: JSON.stringify(destination.groups),
      },
    },
  };
}

/** Null for what nobody of us put there. */
export function hopOf(headers: AmqpHeaders): Hop | null {
  const restMs = numberOf(headers, header.restMs);
  const exchange = addressOf(headers, header.toExchange);
  const routingKey = addressOf(headers, header.toRoutingKey);
  const topic = textOf(headers, header.topic);
  const groups = parsed(textOf(headers, header.groups));
  if (restMs === null || exchange === null || routingKey === null || topic === null || !isNames(groups)) return null;
  return { restMs, destination: { exchange, routingKey, topic, groups } };
}

function addressOf(headers: AmqpHeaders, name: string): string | null {
  const text = textOf(headers, name);
  return text !== null && isShortString(text) ? text : null;
}

/** None at all would be a message that nobody is told of when its destination is gone. */
function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'string');
}
