import { type Channel, type ConfirmChannel, connect, type GetMessage, type Options } from 'amqplib';
import { onTestFinished } from 'vitest';
import { eventually } from '../connection/eventually.js';

/** A program of somebody else: plain amqplib, which knows the broker's objects and nothing of us. Gone when the test ends. */
export interface PlainProgram {
  readonly channel: ConfirmChannel;
  /** Persistent, mandatory and confirmed; rejects when it is returned. */
  publish(exchange: string, routingKey: string, body: unknown, options?: Options.Publish): Promise<void>;
  /** Does something that the broker may refuse, on a channel of its own. */
  apart<T>(work: (channel: Channel) => Promise<T>): Promise<T>;
  /** The next message of a queue, acked; waits for it. */
  next(queue: string): Promise<GetMessage>;
  /** How many are ready in a queue. */
  ready(queue: string): Promise<number>;
}

export async function plainProgram(url: string): Promise<PlainProgram> {
  const connection = await connect(url);
  let trouble: unknown = null;
  connection.on('error', (error: unknown) => {
    trouble = error;
  });
  onTestFinished(() => connection.close().catch(() => {}));
  const channel = await connection.createConfirmChannel();
  channel.on('error', (error: unknown) => {
    trouble ??= error;
  });
  const returned = new Set<unknown>();
  channel.on('return', ({ properties }) => returned.add(properties.correlationId));
  let sent = 0;

  const apart = async <T>(work: (own: Channel) => Promise<T>): Promise<T> => {
    const own = await connection.createChannel();
    own.on('error', () => {});
    try {
      return await work(own);
    } finally {
      await own.close().catch(() => {});
    }
  };

  return {
    channel,
    apart,
    publish: async (exchange, routingKey, body, options = {}) => {
      const correlationId = `plain ${++sent}`;
      const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
      channel.publish(exchange, routingKey, bytes, { persistent: true, mandatory: true, correlationId, ...options });
      await channel.waitForConfirms().catch((cause: unknown) => {
        throw new Error('the connection of the plain program broke', { cause: trouble ?? cause });
      });
      if (returned.has(correlationId)) throw new Error(`returned: ${exchange} ${routingKey}`);
    },
    next: (queue) =>
      eventually(`a message in ${queue}`, () => apart((own) => own.get(queue, { noAck: true }))) as Promise<GetMessage>,
    ready: (queue) => apart(async (own) => (await own.checkQueue(queue)).messageCount),
  };
}

export function jsonOf({ content }: { readonly content: Buffer }): unknown {
  return JSON.parse(content.toString('utf8'));
}
