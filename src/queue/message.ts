import { createHash } from 'node:crypto';
import type { StoredMessage } from './driver.js';

/** What was published, as its readers see it. The same for every group and every delivery. */
export interface Message<Body = unknown> {
  /** A name, for people and logs: UUIDv7 unless the publisher chose one. A duplicate carries the same id. */
  readonly id: string;
  readonly topic: string;
  readonly key: string | null;
  readonly routingKey: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Body;
  /** On the publisher's clock, epoch milliseconds; null for a foreign message. */
  readonly publishedAt: number | null;
}

/** What limits of headers are compared with: names and values in UTF-8. */
export function headerBytesOf(headers: Readonly<Record<string, string>>): number {
  return Object.entries(headers).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  );
}

/**
 * The id of a stored message. A foreign one has none: it gets one that is derived from its content, so that
 * a redelivery, or the copy of a retry, carries the same.
 */
export function idOf(message: StoredMessage): string {
  if (message.id !== null) return message.id;
  const hash = createHash('sha256');
  for (const part of [message.topic, message.routingKey ?? '', message.key ?? ''])
    hash.update(`${part.length}:${part}`);
  const digest = hash.update(message.body).digest('hex');
  return `foreign-${digest.slice(0, 32)}`;
}
