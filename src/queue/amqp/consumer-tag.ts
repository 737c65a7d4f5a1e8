import { createHash } from 'node:crypto';

/** AMQP allows 255 bytes; the driver puts a word or a number behind it for further consumers of a channel. */
const longestBytes = 200;

/**
 * What the broker's tools and the logs call a consumer: the reader's name (component, process, topic, group, number), which is
 * unique, and its lane. A longer one is cut and told apart by a hash.
 */
export function consumerTag(consumer: string, lane: number | null): string {
  const tag = lane === null ? consumer : `${consumer}.${lane}`;
  if (Buffer.byteLength(tag) <= longestBytes) return tag;
  const start = Buffer.from(tag)
    .subarray(0, longestBytes - 32)
    .toString('utf8')
    .replace(/\ufffd+$/, '');
  return `${start}~${createHash('sha256').update(tag).digest('hex').slice(0, 16)}`;
}
