import { type ConfirmChannel, IllegalOperationError } from 'amqplib';
import { blame } from './blame.js';
import type { BrokerConnection } from './broker-connection.js';
import { Chain } from './chain.js';
import { replyCodeOf } from './classify.js';
import { HeaderForms } from './header-forms.js';
import { type Entry, markReturned } from './in-flight.js';
import type { LinkError } from './link-error.js';
import { nacked, refused, unanswered, unencodable, unroutable } from './publish-error.js';

export interface PublishingChannelEvents {
  /** It takes messages again, after it was full. */
  onReady(): void;
  /** It is gone, and all that was in flight has been answered. Not after `abandon`. */
  onLost(): void;
}

/** One confirm channel, and what was written to it and is not answered yet. */
export class PublishingChannel {
  readonly #channel: ConfirmChannel;
  readonly #connection: BrokerConnection;
  readonly #events: PublishingChannelEvents;
  readonly #inFlight = new Chain<Entry>();
  readonly #forms = new HeaderForms();
  #open = true;
  #full = false;
  #whenIdle: (() => void) | null = null;

  constructor(channel: ConfirmChannel, connection: BrokerConnection, events: PublishingChannelEvents) {
    this.#channel = channel;
    this.#connection = connection;
    this.#events = events;
    let cause: unknown = null;
    channel.on('error', (error) => {
      cause = error;
    });
    channel.on('return', (message) => markReturned(this.#inFlight, message));
    channel.on('drain', () => {
      this.#full = false;
      if (this.#open) events.onReady();
    });
    // Before amqplib's own listener, which then calls back as if each message had been nacked.
    channel.prependListener('close', () => this.#onClose(cause));
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
    const { exchange, routingKey, body, properties } = entry.publication;
    const { headers } = properties;
    const written = { ...properties, mandatory: true };
    if (headers !== undefined) written.headers = this.#forms.filledWith(headers);
    try {
      this.#full = !this.#channel.publish(exchange, routingKey, body, written, (nack) => this.#confirmed(entry, nack));
      this.#inFlight.add(entry);
    } catch (error) {
      if (error instanceof IllegalOperationError) return false;
      entry.answer(unencodable(entry, error));
    }
    return true;
  }

  #confirmed(entry: Entry, nack: unknown): void {
    if (!this.#inFlight.remove(entry)) return;
    if (nack) entry.answer(nacked(entry));
    else entry.answer(entry.returned === null ? null : unroutable(entry));
    if (this.#inFlight.size === 0) this.#whenIdle?.();
  }

  /** Answers one that is in flight; its confirm is ignored when it comes after all. */
  giveUp(entry: Entry, error: LinkError): void {
    if (this.#inFlight.remove(entry)) entry.answer(error);
  }

  /** Answers all that is in flight, and lets go of the channel without waiting for the broker. */
  abandon(errorOf: (entry: Entry) => LinkError): void {
    this.#open = false;
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
    this.#open = false;
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

  #failAll(errorOf: (entry: Entry) => LinkError): void {
    for (const entry of this.#inFlight.removeAll()) entry.answer(errorOf(entry));
    this.#whenIdle?.();
  }
}
