import { type Channel, type ConsumeMessage, IllegalOperationError, type Message, type Options } from 'amqplib';
import type { Clock, Logger } from '../../driver.js';
import type { BrokerConnection } from './broker-connection.js';
import { callError } from './call-error.js';
import { Chain } from './chain.js';
import { Delivery } from './delivery.js';
import { fewestAcks } from './fewest-acks.js';
import { LinkError } from './link-error.js';
import { withinDeadline } from './within-deadline.js';

export interface ConsumingOptions {
  /** For errors and logs: `the consumer of queue "x"`. */
  readonly what: string;
  /** Most unsettled deliveries of each of its consumers, unless `limit` says otherwise; 0: no limit. */
  readonly prefetch: number;
  /** Called synchronously, in the order of arrival. What it throws is logged, and the delivery goes back. */
  readonly onDelivery: (delivery: Delivery) => void;
  /** The broker cancelled a consumer: its queue was deleted. The channel lives on. */
  readonly onCancelled: (consumerTag: string) => void;
  /** Once, however the channel ended, `close` included. `unsettled` is what the broker hands out again, in order of arrival. */
  readonly onClosed: (cause: unknown, unsettled: readonly Delivery[]) => void;
}

export interface ConsumingContext {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long the broker may take to answer. */
  readonly callDeadlineMs: number;
}

/** One channel that consumes, with all that it brought and is not settled. Once lost, it stays lost. */
export class ConsumingChannel {
  /** Counts the consuming channels of a link, from 1: for logs. */
  readonly generation: number;
  readonly #raw: Channel;
  readonly #options: ConsumingOptions;
  readonly #context: ConsumingContext;
  /** Resolves when the broker has closed it, or the connection is gone. */
  readonly #gone: Promise<void>;
  readonly #unsettled = new Chain<Delivery>();
  /** Tags of what is settled and was not written yet. */
  #acked: number[] = [];
  #open = true;
  #lossCause: unknown = null;
  /** Of the next consumer; null: the broker was not told yet. */
  #limit: number | null = null;
  /** What the broker was asked for and has not answered. */
  #flushing: Promise<void> | null = null;
  /** What it is asked for then. */
  #flushedNext: Promise<void> | null = null;

  constructor(
    raw: Channel,
    generation: number,
    connection: BrokerConnection,
    options: ConsumingOptions,
    context: ConsumingContext,
  ) {
    this.#raw = raw;
    this.generation = generation;
    this.#options = options;
    this.#context = context;
    let cause: unknown = null;
    raw.on('error', (error) => {
      cause = error;
    });
    this.#gone = new Promise((resolve) => {
      raw.on('close', () => {
        this.#end(cause ?? connection.cause);
        resolve();
      });
    });
  }

  get open(): boolean {
    return this.#open;
  }

  /**
   * For declarations and calls in this channel's order: after the acks that were given. Settle deliveries, never on this,
   * and `get` nothing on it that is to be acked: it would be acked with what came before.
   */
  get raw(): Channel {
    this.#writeAcks();
    return this.#raw;
  }

  /** How many deliveries it brought that are not settled. */
  get unsettled(): number {
    return this.#unsettled.size;
  }

  /** Starts a consumer; resolves when the broker knows of it, deliveries may come before. */
  async consume(queue: string, options: Options.Consume & { readonly consumerTag: string }): Promise<void> {
    const { what, prefetch } = this.#options;
    if (this.#limit === null) await this.limit(prefetch);
    const take = (message: ConsumeMessage | null): void => this.#take(message, options.consumerTag);
    await this.#call(() => this.raw.consume(queue, take, options), `start ${what}`);
  }

  /** The most unsettled deliveries of each consumer that is started from now on: RabbitMQ 4.3 refuses a limit for the whole channel. */
  async limit(prefetch: number): Promise<void> {
    this.#limit = prefetch;
    await this.#call(() => this.raw.prefetch(prefetch), `limit ${this.#options.what}`);
  }

  /**
   * Resolves when the broker has read all that was written on this channel, acks included. By a call that needs no right and changes
   * nothing: it repeats the limit of consumers to come. (Asking for an exchange takes the right to read it, on 4.3.) A channel has one
   * call under way: whoever asks meanwhile asks together, or 256 who ask at once would wait for as many round trips.
   */
  flushed(): Promise<void> {
    if (this.#flushing === null) return this.#flush();
    this.#flushedNext ??= this.#flushing
      .catch(() => {})
      .then(() => {
        this.#flushedNext = null;
        return this.#flush();
      });
    return this.#flushedNext;
  }

  #flush(): Promise<void> {
    const call = (): Promise<unknown> => this.raw.prefetch(this.#limit ?? this.#options.prefetch);
    const flushing = this.#call(call, `flush ${this.#options.what}`).then(() => {});
    this.#flushing = flushing;
    const over = (): void => {
      if (this.#flushing === flushing) this.#flushing = null;
    };
    flushing.then(over, over);
    return flushing;
  }

  /** The broker hands out nothing more; what is in hand stays in hand. */
  async cancel(consumerTag: string): Promise<void> {
    await this.#call(() => this.raw.cancel(consumerTag), `cancel ${this.#options.what}`);
  }

  /**
   * Ends it without cancelling first, so that what is unsettled goes back in its old order and nobody is handed out
   * what comes after it (measured with single active consumers: cancelling first let the next one overtake).
   * Resolves when the broker has done so, or does not answer in time.
   */
  async close(): Promise<void> {
    if (!this.#open) return;
    const { clock, callDeadlineMs } = this.#context;
    // Not awaited: amqplib forgets this promise when the connection is closed meanwhile.
    this.raw.close().catch(() => {});
    this.#end(new LinkError(`${this.#options.what} was closed`, { code: 'closed' }));
    await withinDeadline(this.#gone, clock, callDeadlineMs, () => new Error('late')).catch(() => {});
  }

  /** Whether a delivery of it can still be settled. */
  holds(delivery: Delivery): boolean {
    return delivery.channel === this && delivery.isLinked;
  }

  /** See `Delivery`. Written with all others of the same turn, before anything else is. */
  ack(delivery: Delivery): 'done' | 'lost' {
    if (!this.#unsettled.remove(delivery)) return 'lost';
    if (this.#acked.push(delivery.tag) === 1) process.nextTick(() => this.#writeAcks());
    return 'done';
  }

  /** See `Delivery`. */
  giveBack(delivery: Delivery, how: 'nack' | 'reject', requeue: boolean): 'done' | 'lost' {
    // Writes the acks before it, and while it counts as held: one for all up to a later one would cover it.
    const { raw } = this;
    if (!this.#unsettled.remove(delivery)) return 'lost';
    const write =
      how === 'nack' ? () => raw.nack(delivery.message, false, requeue) : () => raw.reject(delivery.message, requeue);
    return this.#written(write) ? 'done' : 'lost';
  }

  /** In as few frames as are right: mostly one for a turn. */
  #writeAcks(): void {
    if (this.#acked.length === 0) return;
    const acks = fewestAcks(this.#acked, this.#unsettled.oldest?.tag ?? null);
    this.#acked = [];
    this.#written(() => {
      for (const { tag, multiple } of acks) this.#raw.ack(tagged(tag), multiple);
    });
  }

  /** False while the connection is closing: its channels hear of it a moment later. */
  #written(write: () => void): boolean {
    try {
      write();
      return true;
    } catch (error) {
      if (error instanceof IllegalOperationError) return false;
      throw error;
    }
  }

  #take(message: ConsumeMessage | null, consumerTag: string): void {
    const { what, onDelivery, onCancelled } = this.#options;
    // What is thrown here, amqplib takes for an error of the socket: the whole connection would die.
    try {
      if (!this.#open) return;
      if (message === null) onCancelled(consumerTag);
      else this.#deliver(new Delivery(message, this), onDelivery);
    } catch (error) {
      this.#context.logger.warn({ error }, `${what} failed to take what the broker sent; report this`);
    }
  }

  #deliver(delivery: Delivery, onDelivery: (delivery: Delivery) => void): void {
    this.#unsettled.add(delivery);
    try {
      onDelivery(delivery);
    } catch (error) {
      delivery.reject(true);
      throw error;
    }
  }

  #end(cause: unknown): void {
    if (!this.#open) return;
    this.#open = false;
    this.#lossCause = cause;
    const unsettled = this.#unsettled.removeAll();
    this.#acked = [];
    try {
      this.#options.onClosed(cause, unsettled);
    } catch (error) {
      this.#context.logger.warn({ error }, `${this.#options.what} failed to hear of its end; report this`);
    }
  }

  async #call<T>(call: () => Promise<T>, what: string): Promise<T> {
    const { clock, callDeadlineMs } = this.#context;
    try {
      return await withinDeadline(call(), clock, callDeadlineMs, () => {
        const late = new LinkError(`${what}: no answer within ${callDeadlineMs} ms`, {
          code: 'timeout',
          outcomeUnknown: true,
        });
        // Only this channel: the broker may be waiting for a queue without a leader while it serves all others.
        this.raw.close().catch(() => {});
        this.#end(late);
        return late;
      });
    } catch (error) {
      throw callError(what, error, this.#lossCause);
    }
  }
}

/** All that amqplib looks at to ack a message. */
function tagged(deliveryTag: number): Message {
  return { fields: { deliveryTag } } as Message;
}
