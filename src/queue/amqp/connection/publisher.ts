import type { Clock, Logger } from '../../driver.js';
import type { BrokerConnection } from './broker-connection.js';
import { Chain } from './chain.js';
import type { Entry } from './in-flight.js';
import type { LinkError } from './link-error.js';
import { openChannel } from './open-channel.js';
import type { Publication } from './publication.js';
import { closed, unanswered, unconfirmed, unwritten } from './publish-error.js';
import { PublishingChannel } from './publishing-channel.js';
import { reconnectDelay } from './reconnect-delay.js';
import { withinDeadline } from './within-deadline.js';

export interface PublisherOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** From the call to its answer: waiting to be written and waiting for the confirm. */
  readonly publishDeadlineMs: number;
  /** How long opening a channel may take. */
  readonly callDeadlineMs: number;
}

/**
 * Publishes with confirms, over one channel at a time. What cannot be written yet (no channel, blocked, the socket is
 * full) waits in order; what was written is never written again.
 *
 * Per message there is one callback, no timer (one for all, set to the oldest), no signal, and a promise only for those
 * who ask for one, since this is measured against amqplib with a bare promise per message.
 */
export class Publisher {
  readonly #options: PublisherOptions;
  /** In the order of the calls; all that is in flight is older. */
  readonly #waiting = new Chain<Entry>();
  #connection: BrokerConnection | null = null;
  #channel: PublishingChannel | null = null;
  #blocked: string | null = null;
  #closed = false;
  #cancelDeadline: (() => void) | null = null;
  #cancelReopening: (() => void) | null = null;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** See `Link.publish`. */
  publish(publication: Publication): Promise<void> {
    return new Promise((resolve, reject) => {
      this.publishWith(publication, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  /** See `Link.publishWith`. */
  publishWith(publication: Publication, answer: (error: LinkError | null) => void): void {
    if (this.#closed) {
      answer(closed(publication));
      return;
    }
    const dueAt = this.#options.clock.now() + this.#options.publishDeadlineMs;
    const entry: Entry = { publication, dueAt, answer, returned: null, isLinked: false, before: null, after: null };
    if (this.#cancelDeadline === null) this.#watch(dueAt);
    if (this.#waiting.size > 0 || !this.#write(entry)) this.#waiting.add(entry);
  }

  /** Goes on over this connection. Resolves when there is a channel, or when it is clear that it takes longer. */
  async attach(connection: BrokerConnection): Promise<void> {
    this.#cancelReopening?.();
    this.#connection = connection;
    this.#blocked = null;
    await this.#open(connection, 1);
  }

  /** The broker takes nothing over this connection, and why; null: it does again. */
  setBlocked(reason: string | null): void {
    this.#blocked = reason;
    this.#flush();
  }

  /** Takes nothing any more, and waits until what was written is answered, but at most `deadlineMs`. */
  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    this.#cancelReopening?.();
    this.#flush();
    for (const entry of this.#waiting.removeAll()) entry.answer(closed(entry.publication));
    const channel = this.#channel;
    if (channel !== null) {
      const late = new Error('not answered in time');
      await withinDeadline(channel.idle(), this.#options.clock, deadlineMs, () => late).catch(() => {});
      channel.abandon((entry) => unanswered(entry, late));
    }
    this.#cancelDeadline?.();
  }

  async #open(connection: BrokerConnection, attempt: number): Promise<void> {
    const { clock, random, logger, callDeadlineMs } = this.#options;
    const superseded = (): boolean => this.#closed || !connection.open || this.#connection !== connection;
    try {
      const channel = await openChannel(connection, (model) => model.createConfirmChannel(), clock, callDeadlineMs);
      if (superseded()) return;
      this.#channel = new PublishingChannel(channel, connection, {
        onReady: () => this.#flush(),
        onLost: () => {
          this.#channel = null;
          if (!superseded()) void this.#open(connection, 1);
        },
      });
      this.#flush();
    } catch (error) {
      // Without its connection there is nothing to open; the next one is attached when it is there.
      if (superseded()) return;
      logger.warn({ attempt, error }, 'no channel for publishing');
      const again = (): void => void this.#open(connection, attempt + 1);
      this.#cancelReopening = clock.schedule(again, reconnectDelay(attempt, random()));
    }
  }

  #flush(): void {
    for (let entry = this.#waiting.oldest; entry !== null; entry = this.#waiting.oldest) {
      this.#waiting.remove(entry);
      if (this.#write(entry)) continue;
      this.#waiting.putBack(entry);
      return;
    }
  }

  /** False when it cannot be written now; whatever ends that flushes. */
  #write(entry: Entry): boolean {
    const channel = this.#blocked === null ? this.#channel : null;
    return channel?.ready === true && channel.write(entry);
  }

  #watch(dueAt: number): void {
    const { clock } = this.#options;
    this.#cancelDeadline = clock.schedule(() => this.#expire(clock.now()), dueAt - clock.now());
  }

  #expire(now: number): void {
    const { publishDeadlineMs } = this.#options;
    for (let entry = this.#waiting.oldest; entry !== null && entry.dueAt <= now; entry = this.#waiting.oldest) {
      this.#waiting.remove(entry);
      entry.answer(unwritten(entry, publishDeadlineMs, this.#blocked));
    }
    this.#expireInFlight(now);
    const oldest = this.#channel?.oldest ?? this.#waiting.oldest;
    this.#cancelDeadline = null;
    if (oldest !== null) this.#watch(oldest.dueAt);
  }

  /** No confirm, though the socket lives: the channel is given up, since nobody knows what else it will not answer. */
  #expireInFlight(now: number): void {
    const channel = this.#channel;
    const { publishDeadlineMs, logger } = this.#options;
    const late = (entry: Entry): boolean => entry.dueAt <= now;
    if (channel?.oldest == null || !late(channel.oldest)) return;
    // While it is blocked, the broker reads nothing: neither would it hear of a closed channel, nor answer to a new one.
    if (this.#blocked !== null) {
      for (let entry = channel.oldest; entry !== null && late(entry); entry = channel.oldest) {
        channel.giveUp(entry, unconfirmed(entry, publishDeadlineMs));
      }
      return;
    }
    logger.warn({ publishDeadlineMs }, 'a message was not confirmed in time; publishing goes on over a new channel');
    this.#channel = null;
    const cause = new Error('the channel was given up, because another message was not confirmed in time');
    channel.abandon((entry) => (late(entry) ? unconfirmed(entry, publishDeadlineMs) : unanswered(entry, cause)));
    if (this.#connection !== null) void this.#open(this.#connection, 1);
  }
}
