import { randomBytes } from 'node:crypto';
import type { ConsumeMessage, GetMessage } from 'amqplib';
import type { Counts, StoredMessage } from '../driver.js';
import { firstDeathOf } from './broker-death.js';
import { isShortString, type MessageProperties } from './connection/index.js';
import { type Envelope, encodeEnvelope, envelopeOf } from './envelope.js';
import {
  type AmqpHeaders,
  countOf,
  decodeHeaders,
  encodeHeaders,
  faultOf,
  header,
  headersForCopy,
  numberOf,
  textOf,
  timeOf,
} from './headers.js';
import { rewritableTimestamp } from './rewritable.js';

type AmqpMessage = ConsumeMessage | GetMessage;

/** What is written of a message, before anything that says where it goes. */
export interface EncodedMessage {
  readonly body: Buffer;
  readonly properties: MessageProperties & { readonly headers: Readonly<Record<string, unknown>> };
}

export function encodeMessage(message: StoredMessage, lane: number, counts: Counts): EncodedMessage {
  const { id, key, routingKey, body, publishedAt, format } = message;
  const headers: Record<string, unknown> = {};
  encodeHeaders(message.headers, headers);
  headers[header.envelope] = encodeEnvelope({ format, publishedAt, publication: nextPublication() });
  if (key !== null) headers[header.key] = key;
  // An absent one and an empty one are the same to an exchange, not to a reader.
  if (routingKey !== null) headers[header.routingKey] = routingKey;
  if (lane > 0) headers[header.lane] = lane;
  writeCounts(counts, headers);
  return {
    body: Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength),
    properties: id === null ? { persistent: true, headers } : { persistent: true, headers, messageId: id },
  };
}

/** Random for this process, and a number: drawing randomness for each message would cost more than writing it does. */
const publisher = randomBytes(9).toString('base64url');
let publications = 0;

function nextPublication(): string {
  return `${publisher}.${(publications++).toString(36)}`;
}

/** See `Identified`; null of what a foreign publisher wrote, or an older version. */
export function identityOf({ properties }: AmqpMessage): string | null {
  return envelopeOf(properties.headers ?? {})?.publication ?? null;
}

/** Said to those who do not know us: what we send is JSON. Users' bodies are nothing else. */
export function asJson(properties: EncodedMessage['properties']): EncodedMessage['properties'] {
  return { ...properties, contentType: 'application/json' };
}

/** Says where it goes when it is redriven: a foreign message brought no lane. */
export function inLane({ body, properties }: EncodedMessage, lane: number): EncodedMessage {
  if (lane === 0) return { body, properties };
  return { body, properties: { ...properties, headers: { ...properties.headers, [header.lane]: lane } } };
}

/** The same message once more, with other counts. Of a foreign one, everything that its sender wrote is kept. */
export function copyOf({ content, properties, fields }: AmqpMessage, counts: Counts): EncodedMessage {
  const headers = headersForCopy(properties.headers ?? {});
  for (const name of [header.attempt, header.postpones, header.firstFailedAt]) delete headers[name];
  if (!isOurs(envelopeOf(headers)) && textOf(headers, header.routingKey) === null) {
    const routingKey = foreignRoutingKey(properties.headers ?? {}, fields);
    if (routingKey !== null) headers[header.routingKey] = routingKey;
  }
  writeCounts(counts, headers);
  return { body: content, properties: { ...propertiesForCopy(properties), persistent: true, headers } };
}

/**
 * Not `expiration`, by which a queue of delays would end the delay, and not `userId`: RabbitMQ closes the channel of another user.
 * Nor what is longer than a property may be.
 */
function propertiesForCopy(properties: AmqpMessage['properties']): MessageProperties {
  const { contentType, contentEncoding, priority, correlationId, replyTo, messageId, timestamp, type, appId } =
    properties;
  const given: Readonly<Record<string, unknown>> = {
    contentType,
    contentEncoding,
    priority,
    correlationId,
    replyTo,
    messageId,
    type,
    appId,
  };
  const set = Object.entries(given).filter(([, value]) =>
    typeof value === 'string' ? isShortString(value) : value !== undefined,
  );
  const time = typeof timestamp === 'number' ? { timestamp: rewritableTimestamp(timestamp) } : {};
  return { ...Object.fromEntries(set), ...time };
}

/** Of any message: it never throws. What is not what we write in a header of ours is taken for missing, but for `decodingFault`. */
export function decodeMessage(topic: string, { content, properties, fields }: AmqpMessage): StoredMessage {
  const headers: AmqpHeaders = properties.headers ?? {};
  const envelope = envelopeOf(headers);
  const messageId: unknown = properties.messageId;
  return {
    id: typeof messageId === 'string' && messageId !== '' ? messageId : null,
    topic,
    key: textOf(headers, header.key),
    routingKey: textOf(headers, header.routingKey) ?? (isOurs(envelope) ? null : foreignRoutingKey(headers, fields)),
    headers: decodeHeaders(headers),
    // A reader may write on what it was given; a copy of the message is made of what arrived.
    body: Buffer.from(content),
    publishedAt: envelope?.publishedAt ?? null,
    format: envelope?.format ?? null,
  };
}

/** Who sends what somebody else wrote, as a mover does, says no format. */
function isOurs(envelope: Envelope | null): boolean {
  return envelope !== null && envelope.format !== null;
}

/** See `Received`. */
export function decodingFault({ properties }: AmqpMessage): string | null {
  return faultOf(properties.headers ?? {});
}

/** What its sender published it with, also where the broker has dead-lettered it since: what is derived from it stays the same. */
function foreignRoutingKey(headers: AmqpHeaders, { exchange, routingKey }: AmqpMessage['fields']): string | null {
  const first = firstDeathOf(headers);
  const sent = first ?? { exchange, routingKey };
  return sent.exchange === '' || sent.routingKey === '' ? null : sent.routingKey;
}

export function keyOf({ properties }: AmqpMessage): string | null {
  return textOf(properties.headers ?? {}, header.key);
}

export function laneOf({ properties }: AmqpMessage): number {
  return countOf(properties.headers ?? {}, header.lane, 0) ?? 0;
}

export function decodeCounts({ properties }: AmqpMessage): Counts {
  const headers: AmqpHeaders = properties.headers ?? {};
  return {
    attempt: countOf(headers, header.attempt, 1) ?? 1,
    postpones: countOf(headers, header.postpones, 0) ?? 0,
    firstFailedAt: timeOf(headers, header.firstFailedAt),
  };
}

/** The counts of ours, never `x-death`: of a copy with these headers, 3.10.8 counts 1, 2, 3 and 4.3.6 counts 1, 1, 1. */
function writeCounts({ attempt, postpones, firstFailedAt }: Counts, headers: Record<string, unknown>): void {
  if (attempt !== 1) headers[header.attempt] = attempt;
  if (postpones !== 0) headers[header.postpones] = postpones;
  if (firstFailedAt !== null) headers[header.firstFailedAt] = firstFailedAt;
}

/**
 * Hand-outs before this one that ended without an answer. 3.10 counts what is given back as well; 4.x shows the count from the
 * second hand-out on, and leaves out what was given back by `nack`; a classic queue only says whether there was one.
 */
export function redeliveriesOf({ properties, fields }: AmqpMessage): number {
  return numberOf(properties.headers ?? {}, 'x-delivery-count') ?? (fields.redelivered ? 1 : 0);
}
