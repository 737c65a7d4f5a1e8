import type { Channel } from 'amqplib';
import { classify, type Link, LinkError } from './connection/index.js';
import { header } from './headers.js';

/**
 * Whether a delay queue that somebody else declared takes messages. A broker that is killed while it declares a quorum queue
 * may leave one which is there, can be declared again, and never elects a leader (3.10.8): what is published to it is not
 * confirmed, and neither is anything behind it, since the broker's channel waits for that queue for a minute. So a message
 * that expires at once is sent ahead, on a channel of its own; movers drop it. Rejects with `resource-exhausted` while the broker takes
 * no messages at all, which says nothing of the queue.
 */
export async function answers(link: Link, queue: string): Promise<boolean> {
  const what = `see whether queue "${queue}" answers`;
  demandUnblocked(link, what);
  const ask = async (channel: Channel): Promise<void> => {
    channel.sendToQueue(queue, Buffer.alloc(0), { expiration: 0, headers: { [header.probe]: 1 } });
    // Answered after it: a channel does one thing after the other.
    await channel.checkQueue(queue);
  };
  try {
    await link.withChannel(what, ask, 'publish');
    return true;
  } catch (error) {
    demandUnblocked(link, what);
    if (classify(error).code === 'timeout') return false;
    throw error;
  }
}

function demandUnblocked({ blocked }: Link, what: string): void {
  if (blocked === null) return;
  throw new LinkError(`cannot ${what}: the broker takes no messages (${blocked})`, { code: 'resource-exhausted' });
}
