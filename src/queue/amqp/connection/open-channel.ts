import { type ChannelModel, IllegalOperationError } from 'amqplib';
import type { Clock } from '../../driver.js';
import type { BrokerConnection } from './broker-connection.js';
import { classify, replyCodeOf } from './classify.js';
import { LinkError } from './link-error.js';
import { withinDeadline } from './within-deadline.js';

/**
 * Opens a channel. A broker that does not answer even that within the deadline is gone, whatever its socket says:
 * the connection is then destroyed, so that a new one is made.
 */
export async function openChannel<C>(
  connection: BrokerConnection,
  create: (model: ChannelModel) => Promise<C>,
  clock: Clock,
  deadlineMs: number,
): Promise<C> {
  try {
    return await withinDeadline(create(connection.model), clock, deadlineMs, () => {
      const late = new LinkError(`the broker opened no channel within ${deadlineMs} ms`, { code: 'timeout' });
      connection.destroy(late);
      return late;
    });
  } catch (error) {
    if (error instanceof LinkError) throw error;
    // It is closing, or was closed before anybody could listen.
    if (error instanceof IllegalOperationError) connection.destroy(error);
    // amqplib's own limit ("No channels left to allocate") is a plain Error while the connection lives.
    const { code, retryable } = connection.open ? classify(error) : { code: 'unavailable' as const, retryable: true };
    throw new LinkError('no channel could be opened', {
      ...(code === 'internal' ? { code: 'resource-exhausted' as const } : { code, retryable }),
      replyCode: replyCodeOf(error),
      cause: connection.open ? error : connection.cause,
    });
  }
}
