import type { ConfirmChannel } from 'amqplib';
import { blame } from './blame.js';
import type { BrokerConnection } from './broker-connection.js';
import { Chain } from './chain.js';
import { replyCodeOf } from './classify.js';
import { Confirms } from './confirms.js';
import { FrameBytes } from './frame-bytes.js';
import { type Entry, markReturned } from './in-flight.js';
import type { LinkError } from './link-error.js';
import { writeMessage } from './message-frames.js';
import { nacked, refused, unanswered, unencodable, unroutable } from './publish-error.js';
import { channelNumberOf } from './wire.js';

export interface PublishingChannelEvents {
  /** It takes messages again, after it was full. */
  onReady(): void;
  /** It is gone, and all that was in flight has been answered. Not after `abandon`. */
  onLost(): void;
}

/** What waits for the socket in the memory of this process at most, before nothing more is written. */
const mostBuffered = 512 * 1_024;

/**
 * What is encoded before it is given to the socket, so that the broker begins while the rest of a burst is encoded. Measured with 256
 * messages of some 500 bytes: 16 KiB reach 0.90 of this rate, 4 KiB 0.67, 256 KiB 0.88.
 */
const mostGathered = 32 * 1_024;

interface Confirm {
  readonly deliveryTag: number;
  readonly multiple: boolean;
}

/**
 * One confirm channel, and what was written to it and is not answered yet. Messages go to the socket in frames of our own; all else
 * of the channel is amqplib's, which never has anything under way on it while messages are.
 */
export class PublishingChannel {
  readonly #channel: ConfirmChannel;
  readonly #number: number;
  readonly #connection: BrokerConnection;
  readonly #events: PublishingChannelEvents;
  readonly #inFlight = new Chain<Entry>();
  readonly #confirms = new Confirms<Entry>();
  /** Encoded, and not yet given to the socket. */
  readonly #frames = new FrameBytes();
  #open = true;
  #full = false;
  #whenIdle: (() => void) | null = null;

  constructor(channel: ConfirmChannel, connection: BrokerConnection, events: PublishingChannelEvents) {
    this.#channel = channel;
    this.#number = channelNumberOf(channel);
    this.#connection = connection;
    this.#events = events;
    let cause: unknown = null;
    channel.on('error', (error) => {
      cause = error;
    });
    channel.on('return', (message) => markReturned(this.#inFlight, message));
    channel.on('ack', (confirm: Confirm) => this.#confirmed(confirm, false));
    channel.on('nack', (confirm: Confirm) => this.#confirmed(confirm, true));
    connection.wire.socket.on('drain', this.#drained);
    channel.on('close', () => this.#onClose(cause));
  }

  /** Whether it takes messages; while it is full, writing more would only fill the memory. */
  get ready(): boolean {
    return this.#open && !this.#full;
  }

  /** The one that was written first. */
  get oldest(): Entry | null {
    return this.#inFlight.oldest;
  }

  /** False when it was not written, because the channel is closing; what cannot be encoded ends here. */
  write(entry: Entry): boolean {
    if (!this.#open || this.#connection.closing) return false;
    const before = this.#frames.length;
    try {
      writeMessage(this.#frames, this.#number, this.#connection.wire.frameMaxBytes, entry.publication);
    } catch (error) {
      this.#frames.cutTo(before);
      entry.answer(unencodable(entry, error));
      return true;
    }
    this.#inFlight.add(entry);
    this.#confirms.add(entry);
    if (before === 0) process.nextTick(this.#flush);
    if (this.#frames.length >= mostGathered) this.#flush();
    return true;
  }

  readonly #flush = (): void => {
    if (!this.#open || this.#frames.length === 0) return;
    const { socket } = this.#connection.wire;
    socket.write(this.#frames.take());
    this.#full = socket.writableLength >= mostBuffered;
  };

  readonly #drained = (): void => {
    this.#full = false;
    if (this.#open) this.#events.onReady();
  };

  #confirmed({ deliveryTag, multiple }: Confirm, isNack: boolean): void {
    this.#confirms.take(deliveryTag, multiple, (entry) => {
      if (!this.#inFlight.remove(entry)) return;
      if (isNack) entry.answer(nacked(entry));
      else entry.answer(entry.returned === null ? null : unroutable(entry));
    });
    if (this.#inFlight.size === 0) this.#whenIdle?.();
  }

  /** Answers one that is in flight; its confirm is ignored when it comes after all. */
  giveUp(entry: Entry, error: LinkError): void {
    if (this.#inFlight.remove(entry)) entry.answer(error);
  }

  /** Answers all that is in flight, and lets go of the channel without waiting for the broker. */
  abandon(errorOf: (entry: Entry) => LinkError): void {
    this.#end();
    this.#failAll(errorOf);
    try {
      this.#channel.close().catch(() => {});
    } catch {
      // Closed already.
    }
  }

  /** Resolves when nothing is in flight. */
  idle(): Promise<void> {
    if (this.#inFlight.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  #onClose(cause: unknown): void {
    if (!this.#open) return;
    this.#end();
    const replyCode = replyCodeOf(cause);
    const guilty =
      replyCode === null
        ? new Set()
        : blame(
            { replyCode, text: cause instanceof Error ? cause.message : '' },
            [...this.#inFlight].map(({ publication }) => publication),
          );
    const why = cause ?? this.#connection.cause;
    this.#failAll((entry) =>
      guilty.has(entry.publication) ? refused(entry, guilty.size === 1, cause) : unanswered(entry, why),
    );
    this.#events.onLost();
  }

  #end(): void {
    this.#open = false;
    this.#connection.wire.socket.off('drain', this.#drained);
  }

  #failAll(errorOf: (entry: Entry) => LinkError): void {
    for (const entry of this.#inFlight.removeAll()) entry.answer(errorOf(entry));
    this.#whenIdle?.();
  }
}
