import { randomUUID } from 'node:crypto';
import { type ConsumingChannel, classify, type Link } from './connection/index.js';
import type { Names } from './names.js';

/**
 * Consumes, on this channel, what is told of changes, from a queue of its own. Answers the queue; null where this user may not
 * declare one.
 */
export async function listenToChanges(
  channel: ConsumingChannel,
  { link, names, consumerTag }: { readonly link: Link; readonly names: Names; readonly consumerTag: string },
): Promise<string | null> {
  const queue = names.listener(randomUUID());
  try {
    // On a channel of its own, since the broker closes that of whoever may not.
    await link.withChannel(`listen to "${names.changes}"`, async (own) => {
      await own.assertQueue(queue, { exclusive: true, durable: false });
      await own.assertExchange(names.changes, 'fanout', { durable: true });
      await own.bindQueue(queue, names.changes, '');
    });
  } catch (error) {
    if (classify(error).code !== 'denied') throw error;
    return null;
  }
  await channel.consume(queue, { consumerTag });
  return queue;
}
