import { createHash } from 'node:crypto';
import { readHeaders } from '../../sql/headers-text.js';
import type { Counts, Received, Send, StoredMessage } from '../driver.js';
import type { Row } from './link.js';
import { bytesLiteral, numericOrNull, text, textLiteral } from './sql-values.js';

/** The columns that a message has in every table that keeps messages, in the order of `messageLiterals`. */
export const messageColumns = [
  'attempt',
  'postpones',
  'first_failed_at',
  'published_at',
  'format',
  'message_id',
  'message_key',
  'key_hash',
  'routing_key',
  'headers',
  'body',
] as const;

/**
 * The values of a message as SQL. Written here and not bound: of a batch's 17 values a row, binding took half of the client's time
 * (MariaDB: 32 us CPU a message with it).
 */
export function messageLiterals({ message, counts }: Pick<Send, 'message' | 'counts'>): string {
  const { publishedAt, format, id, key, routingKey, headers, body } = message;
  const written = headersOf(headers);
  const bodyBytes = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  // Joined, not composed: a template of so many parts is a tree of strings that is copied again when it is sent.
  return [
    counts.attempt,
    counts.postpones,
    counts.firstFailedAt ?? 'null',
    publishedAt ?? 'null',
    format ?? 'null',
    textLiteral(id),
    textLiteral(key),
    key === null ? 'null' : keyHash(key),
    textLiteral(routingKey),
    written === null ? 'null' : bytesLiteral(written),
    bytesLiteral(bodyBytes),
  ].join(', ');
}

/** Of any row, also a foreign one. */
export function readMessage(topic: string, row: Row): Required<Pick<Received, 'message' | 'fault'>> {
  const { headers, fault } = readHeaders(text(row.headers, null));
  const message = {
    id: text(row.message_id, null),
    topic,
    key: text(row.message_key, null),
    routingKey: text(row.routing_key, null),
    headers,
    body: bodyOf(row.body),
    publishedAt: numericOrNull(row.published_at),
    format: numericOrNull(row.format),
  };
  return { message, fault };
}

export function messageOf(topic: string, row: Row): StoredMessage {
  return readMessage(topic, row).message;
}

export function countsOf(row: Row): Counts {
  return {
    attempt: Number(row.attempt),
    postpones: Number(row.postpones),
    firstFailedAt: numericOrNull(row.first_failed_at),
  };
}

/**
 * 52 bits of the key's SHA-256, which JavaScript numbers and every server can hold and compute:
 * `cast(conv(left(sha2(message_key, 256), 13), 16, 10) as unsigned)`. What tells the keys of a line apart without reading
 * them; two keys that share one, about 1 in 90 million among 10 000 keys, would only wait for each other.
 */
function keyHash(key: string): number {
  return Number.parseInt(createHash('sha256').update(key).digest('hex').slice(0, 13), 16);
}

/** Roughly how many bytes of SQL text the row takes: bytes are written in hexadecimal. */
export function textBytesOf({ message, target }: Pick<Send, 'message' | 'target'>): number {
  const { id, key, routingKey, headers, body } = message;
  const texts = 2 * 3 * ((id?.length ?? 0) + (key?.length ?? 0) + (routingKey?.length ?? 0));
  const death = target.kind === 'dead' ? 2 * Buffer.byteLength(JSON.stringify(target.death)) : 0;
  return 400 + texts + death + 2 * body.byteLength + (headersOf(headers)?.byteLength ?? 0) * 2;
}

/** In plain letters where a foreign writer or a person reads it; null, the usual case, takes no room. */
function headersOf(headers: Readonly<Record<string, string>>): Buffer | null {
  for (const _ in headers) return Buffer.from(JSON.stringify(headers));
  return null;
}

/** The receiver's own bytes: mysql2 cuts rows out of the packets that it read. */
function bodyOf(value: unknown): Uint8Array {
  const body = typeof value === 'string' ? Buffer.from(value) : (value as Buffer);
  return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
}
