import { readHeaders } from '../../sql/headers-text.js';
import type { SqliteRow, SqliteValue } from '../../sql/sqlite-connection.js';
import type { Counts, Received, StoredMessage } from '../driver.js';

/** The columns of a message's content, in `message` and in `letter` alike; `contentOf` and `messageOf` keep to this order and these names. */
export const contentColumns = [
  'message_id',
  'key',
  'routing_key',
  'headers',
  'body',
  'published_at',
  'format',
] as const;

export function contentOf(message: StoredMessage): readonly SqliteValue[] {
  return [
    message.id,
    message.key,
    message.routingKey,
    Object.keys(message.headers).length === 0 ? null : JSON.stringify(message.headers),
    message.body,
    message.publishedAt,
    message.format,
  ];
}

/** Of any row, also a foreign one. */
export function readMessage(row: SqliteRow, topic: string): Required<Pick<Received, 'message' | 'fault'>> {
  const { headers, fault } = readHeaders(text(row.headers));
  const message = {
    id: text(row.message_id),
    topic,
    key: text(row.key),
    routingKey: text(row.routing_key),
    headers,
    // libsql answers an ArrayBuffer.
    body: new Uint8Array(row.body as unknown as ArrayBuffer),
    publishedAt: number(row.published_at),
    format: number(row.format),
  };
  return { message, fault };
}

export function messageOf(row: SqliteRow, topic: string): StoredMessage {
  return readMessage(row, topic).message;
}

export function countsOf(row: SqliteRow): Counts {
  return {
    attempt: Number(row.attempt),
    postpones: Number(row.postpones),
    firstFailedAt: number(row.first_failed_at),
  };
}

function text(value: SqliteValue | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

function number(value: SqliteValue | undefined): number | null {
  return typeof value === 'number' ? value : null;
}
