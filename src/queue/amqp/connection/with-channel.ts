import type { Channel } from 'amqplib';
import type { BrokerConnection } from './broker-connection.js';
import { callError } from './call-error.js';
import type { ConsumingContext } from './consuming-channel.js';
import { LinkError } from './link-error.js';
import { openChannel } from './open-channel.js';
import { withinDeadline } from './within-deadline.js';

/**
 * Runs `work` on a channel of its own, since the broker closes the channel of whatever it refuses. What `work` left
 * unacknowledged goes back when this resolves. Rejects with what `callError` makes of it.
 */
export async function withChannel<T>(
  connection: BrokerConnection,
  what: string,
  work: (channel: Channel) => Promise<T>,
  { clock, callDeadlineMs }: ConsumingContext,
): Promise<T> {
  const channel = await openChannel(connection, (model) => model.createChannel(), clock, callDeadlineMs);
  let cause: unknown = null;
  let open = true;
  channel.on('error', (error) => {
    cause = error;
  });
  const gone = new Promise<void>((resolve) => {
    channel.on('close', () => {
      open = false;
      cause ??= connection.cause;
      resolve();
    });
  });
  const late = (): LinkError =>
    new LinkError(`cannot ${what}: no answer within ${callDeadlineMs} ms`, { code: 'timeout', outcomeUnknown: true });
  let answered = true;
  try {
    return await withinDeadline(work(channel), clock, callDeadlineMs, () => {
      answered = false;
      return late();
    });
  } catch (error) {
    throw callError(what, error, cause);
  } finally {
    if (open) {
      // Not awaited: amqplib forgets this promise when the connection is closed meanwhile.
      channel.close().catch(() => {});
      // A channel that stopped answering is not waited for a second time.
      if (answered) await withinDeadline(gone, clock, callDeadlineMs, late).catch(() => {});
    }
  }
}
