import type { Readable } from 'node:stream';

/** What of amqplib's own connection is needed here; not in its types, and not there in every version perhaps. */
interface RawConnection {
  readonly freeChannels: { set(number: number): void; clear(number: number): void };
  readonly channels: ({ readonly buffer: Readable } | null | undefined)[];
  releaseChannel(number: number): void;
}

/**
 * Gives a channel's number to the next one only when all that was written to it has left. amqplib gives it away at once,
 * and sends from the buffers of all channels in turn: the next one's `channel.open` overtakes the answer to the broker's
 * `channel.close`, and the broker ends the connection (504, "second 'channel.open' seen"; with 2.3.1, 5 times 1 000 messages to a
 * missing exchange lost it 42 and 45 times).
 */
export function holdChannelNumbers(connection: unknown): void {
  const raw = connection as Partial<RawConnection>;
  if (raw.freeChannels === undefined || raw.channels === undefined || raw.releaseChannel === undefined) return;
  const { freeChannels, channels } = raw;
  const release = raw.releaseChannel.bind(connection);
  raw.releaseChannel = (number) => {
    const buffer = channels[number]?.buffer;
    release(number);
    if (buffer === undefined || buffer.readableEnded) return;
    freeChannels.set(number);
    buffer.once('end', () => freeChannels.clear(number));
  };
}
