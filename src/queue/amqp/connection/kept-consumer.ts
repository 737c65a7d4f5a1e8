import { type Clock, type Logger, sleep } from '../../driver.js';
import type { ConsumingChannel, ConsumingOptions } from './consuming-channel.js';
import type { Delivery } from './delivery.js';
import { LinkError } from './link-error.js';
import { reconnectDelay } from './reconnect-delay.js';
import { withinDeadline } from './within-deadline.js';

export interface KeptOptions {
  /** For errors and logs: `the consumer of queue "x"`. */
  readonly what: string;
  readonly prefetch: number;
  /** Declares what may be missing, and consumes. Called for each channel anew; what it rejects with is the trouble. */
  readonly setup: (channel: ConsumingChannel) => Promise<void>;
  /** Called synchronously, in the order of arrival. */
  readonly onDelivery: (delivery: Delivery) => void;
  /**
   * A channel that was set up is lost, and with it what was in hand: it comes again by itself. `not-found`: the broker
   * cancelled the consumer, its queue was deleted. Not at `close`.
   */
  readonly onLost: (unsettled: readonly Delivery[], cause: unknown) => void;
}

export interface KeeperContext {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly callDeadlineMs: number;
  readonly open: (options: ConsumingOptions) => Promise<ConsumingChannel>;
  readonly onClosed: () => void;
}

/** A channel that lived this long was no failure: its successor is opened at once. */
const steadyAfterMs = 5_000;

/**
 * Keeps a consuming channel open until it is closed: opens one, lets `setup` consume, and does both again, with
 * back-off, when the channel, the connection or the consumer was lost, or when `setup` failed.
 */
export class KeptConsumer {
  readonly #options: KeptOptions;
  readonly #context: KeeperContext;
  readonly #running: Promise<void>;
  readonly #waiting = new Set<{ resolve(channel: ConsumingChannel): void; reject(error: unknown): void }>();
  #opened: ConsumingChannel | null = null;
  #channel: ConsumingChannel | null = null;
  #trouble: unknown = null;
  #closed = false;
  #pause = new AbortController();

  constructor(options: KeptOptions, context: KeeperContext) {
    this.#options = options;
    this.#context = context;
    this.#running = this.#run();
  }

  /** The one that is set up; null while there is none. */
  get channel(): ConsumingChannel | null {
    return this.#channel;
  }

  /** Why there is none: what opening it or `setup` rejected with last; null while there is one, and until the first failure. */
  get trouble(): unknown {
    return this.#trouble;
  }

  /** Resolves with the channel when it is set up; rejects with the next failure of setting it up. */
  ready(): Promise<ConsumingChannel> {
    if (this.#channel !== null) return Promise.resolve(this.#channel);
    if (this.#closed) return Promise.reject(this.#closedError());
    return new Promise((resolve, reject) => this.#waiting.add({ resolve, reject }));
  }

  /** Tries again without waiting for the end of the back-off. */
  retryNow(): void {
    this.#pause.abort();
  }

  /** Stops keeping it, and closes the channel: what is in hand goes back, and `onLost` is not told. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#context.onClosed();
    this.#pause.abort();
    this.#answer(({ reject }) => reject(this.#closedError()));
    await this.#opened?.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, random, logger } = this.#context;
    for (let failures = 0; !this.#closed; ) {
      const startedAt = clock.now();
      try {
        const wasCancelled = await this.#serve();
        const wasSteady = clock.now() - startedAt >= steadyAfterMs;
        if (wasSteady) failures = 0;
        // Its queue is being deleted: RabbitMQ 4.3 closes the whole connection of whoever consumes before it is gone.
        if (!wasSteady || wasCancelled) failures += 1;
      } catch (error) {
        failures += 1;
        this.#trouble = error;
        this.#answer(({ reject }) => reject(error));
        if (!this.#closed)
          logger.warn({ failures, error }, `${this.#options.what} is not there; it will be tried again`);
      }
      if (this.#closed || failures === 0) continue;
      this.#pause = new AbortController();
      await sleep(clock, reconnectDelay(failures, random()), this.#pause.signal);
    }
  }

  /** One channel, from its opening to its end; answers whether the broker cancelled its consumer. Rejects when it was never set up. */
  async #serve(): Promise<boolean> {
    const { what, prefetch, setup, onDelivery, onLost } = this.#options;
    const { clock, callDeadlineMs, open } = this.#context;
    let lossCause: unknown = null;
    let cancelled: LinkError | null = null;
    let resolveEnd = (): void => {};
    const end = new Promise<void>((resolve) => {
      resolveEnd = resolve;
    });
    const channel = await open({
      what,
      prefetch,
      onDelivery,
      onCancelled: () => {
        cancelled = new LinkError(`${what} was cancelled by the broker`, { code: 'not-found' });
        void channel.close();
      },
      onClosed: (cause, unsettled) => {
        lossCause = cancelled ?? cause;
        const wasSetUp = this.#channel !== null;
        this.#opened = null;
        this.#channel = null;
        resolveEnd();
        if (!this.#closed && (wasSetUp || unsettled.length > 0)) onLost(unsettled, lossCause);
      },
    });
    this.#opened = channel;
    try {
      const late = (): Error =>
        new LinkError(`${what}: not set up within ${callDeadlineMs} ms`, { code: 'timeout', outcomeUnknown: true });
      if (!this.#closed) await withinDeadline(setup(channel), clock, callDeadlineMs, late);
    } catch (error) {
      await channel.close();
      throw error;
    }
    if (this.#closed) {
      await channel.close();
      return false;
    }
    if (!channel.open)
      throw new LinkError(`${what} was lost while it was set up`, { code: 'unavailable', cause: lossCause });
    this.#channel = channel;
    this.#trouble = null;
    this.#answer(({ resolve }) => resolve(channel));
    await end;
    return cancelled !== null;
  }

  #answer(how: (waiter: { resolve(channel: ConsumingChannel): void; reject(error: unknown): void }) => void): void {
    for (const waiter of this.#waiting) how(waiter);
    this.#waiting.clear();
  }

  #closedError(): LinkError {
    return new LinkError(`${this.#options.what} is closed`, { code: 'closed' });
  }
}
