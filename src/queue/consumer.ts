import type { Delivery, HeldDelivery } from './delivery.js';
import { PermanentError, QueueError } from './errors.js';
import type { Reader } from './reader.js';
import type { CloseOptions } from './subscription.js';
import { isInstance, thrownName } from './thrown.js';

/**
 * What is done with each delivery. Returning acks, throwing nacks (the topic's back-off, in the end a dead
 * letter), `PermanentError` makes a dead letter at once. A handler that wants something else settles by
 * itself and returns: `await delivery.postpone(5000); return;`.
 */
export type Handler<Body = unknown> = (delivery: Delivery<Body>) => unknown;

/** A running consumer. */
export interface Consumer extends AsyncDisposable {
  /** Unique name, as in logs and events. */
  readonly consumer: string;
  /**
   * Starts nothing more, lets handlers finish, gives back the rest; at the deadline aborts `delivery.signal`.
   * Closing again is the same closing. Not to be awaited inside its own handler, which it waits for: both would wait
   * until the deadline, and the message comes again. Call it there without `await`.
   */
  close(options?: CloseOptions): Promise<void>;
}

export interface HandlerConsumerOptions {
  readonly concurrency: number;
  /** A handler that takes longer has failed; null: none. */
  readonly timeoutMs: number | null;
}

/** How long a handler that ran out of time keeps its place (and its key) where no lease says it, milliseconds. */
const overtimeMs = 30_000;

/** `consume`'s face of a reader: a handler, its concurrency and its time. */
export class HandlerConsumer<Body> implements Consumer {
  readonly consumer: string;
  readonly #reader: Reader;
  readonly #handler: Handler<Body>;
  readonly #options: HandlerConsumerOptions;
  readonly #close: (options: CloseOptions) => Promise<void>;
  #running = 0;

  constructor(
    makeReader: (onReady: () => void) => Reader,
    handler: Handler<Body>,
    options: HandlerConsumerOptions,
    close: (reader: Reader, options: CloseOptions) => Promise<void>,
  ) {
    this.#reader = makeReader(() => this.#startMore());
    this.#handler = handler;
    this.#options = options;
    this.#close = (closeOptions) => close(this.#reader, closeOptions);
    this.consumer = this.#reader.consumer;
  }

  open(): Promise<void> {
    return this.#reader.open();
  }

  close(options: CloseOptions = {}): Promise<void> {
    return this.#close(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #startMore(): void {
    while (this.#running < this.#options.concurrency) {
      const delivery = this.#reader.take();
      if (delivery === null) return;
      this.#running++;
      void this.#run(delivery as HeldDelivery<Body>);
    }
  }

  /** Ends when the handler's work is over; its settlement may still be on its way, together with others. */
  async #run(delivery: HeldDelivery<Body>): Promise<void> {
    const { timeoutMs } = this.#options;
    try {
      let inTime = true;
      if (timeoutMs === null) await this.#handler(delivery);
      else inTime = await this.#runWithin(timeoutMs, delivery);
      if (inTime && delivery.state === 'held') this.#settle(delivery, delivery.ack());
    } catch (error) {
      this.#failed(delivery, error);
    }
    this.#running--;
    this.#startMore();
  }

  /** Answers whether the handler made it; otherwise the delivery has been nacked. */
  async #runWithin(timeoutMs: number, delivery: HeldDelivery<Body>): Promise<boolean> {
    // Wrapped, so that a handler that throws synchronously is one that rejects.
    const work = (async () => this.#handler(delivery))();
    if (!(await this.#outlasts(work, timeoutMs))) {
      await work;
      return true;
    }
    const error = new QueueError(
      `the handler of "${delivery.topic}" took longer than its ${timeoutMs} ms; raise timeoutMs, or stop when delivery.signal says so`,
      {
        code: 'timeout',
      },
    );
    delivery.abort(error);
    // A key stays held until its handler has returned, or for as long as a lease; others wait for nothing.
    const ordered = this.#reader.topic.ordering === 'key' && delivery.key !== null;
    if (!ordered) this.#failed(delivery, error);
    await this.#outlasts(work, this.#reader.leaseMs ?? overtimeMs);
    if (ordered) this.#failed(delivery, error);
    return false;
  }

  /** Whether the time passes before the work is done or the reader has ended: a handler that never returns leaves no timer behind. */
  #outlasts(work: Promise<unknown>, ms: number): Promise<boolean> {
    const { context, ended } = this.#reader;
    return new Promise((resolve) => {
      const answer = (outlasts: boolean): void => {
        cancel();
        ended.removeEventListener('abort', no);
        resolve(outlasts);
      };
      const no = (): void => answer(false);
      const cancel = context.clock.schedule(() => answer(true), ms);
      ended.addEventListener('abort', no, { once: true });
      work.then(no, no);
    });
  }

  #failed(delivery: HeldDelivery<Body>, error: unknown): void {
    const { events, logger } = this.#reader.context;
    const about = { topic: delivery.topic, group: delivery.group, id: delivery.id, consumer: this.consumer };
    if (events.heard('handler-failed')) events.emit('handler-failed', { ...about, error });
    logger.info({ ...about, attempt: delivery.attempt, error: thrownName(error) }, 'a handler failed');
    if (delivery.state !== 'held') return; // it had settled by itself, or lost its lease
    this.#settle(
      delivery,
      isInstance(error, PermanentError) ? delivery.reject(error) : delivery.nack(undefined, error),
    );
  }

  /** Nobody waits for these: what can go wrong has its events, and the message comes again. */
  #settle(delivery: HeldDelivery<Body>, settling: Promise<void>): void {
    settling.catch((error: unknown) => {
      // Still held: the backend refuses this settlement (an outbox that no group accepts), which is a failure like any other.
      if (delivery.state === 'held' && !(error instanceof QueueError && error.code === 'closed'))
        this.#settleRefused(delivery, error);
    });
  }

  #settleRefused(delivery: HeldDelivery<Body>, error: unknown): void {
    const nacked = delivery.nack(undefined, error).catch((again: unknown) => {
      // What no copy can be made of cannot be tried again.
      const isTooLarge = again instanceof QueueError && again.code === 'payload-too-large';
      if (isTooLarge && delivery.state === 'held') return delivery.reject(again);
      throw again;
    });
    nacked.catch((again: unknown) => {
      const code = again instanceof QueueError ? again.code : 'internal';
      this.#reader.context.logger.warn(
        { consumer: this.consumer, id: delivery.id, code },
        'a delivery could not be settled; it comes again',
      );
      this.#reader.letGo(delivery);
    });
  }
}
