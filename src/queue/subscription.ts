import type { Delivery, HeldDelivery } from './delivery.js';
import type { Reader } from './reader.js';

export interface CloseOptions {
  /** How long what was started may take to be settled, milliseconds. Default 30 s; 0 waits for nothing that is not on its way already. */
  readonly deadlineMs?: number | undefined;
}

/**
 * The deliveries of one subscriber, one after the other, without end until it is closed. Leaving the loop
 * (`break`, `return`, an exception) closes it; what was not settled then comes again. To be iterated once.
 *
 * A message that was redelivered more than twice is handed out alone, after all before it was settled: a loop
 * that gathers deliveries before settling them must do so within a time limit.
 */
export interface Subscription<Body = unknown> extends AsyncIterable<Delivery<Body>>, AsyncDisposable {
  /** Unique name of this subscriber, as in logs and events. */
  readonly consumer: string;
  /**
   * Stops handing out, waits for what is held to be settled, gives back the rest. Closing again is the same closing.
   * Not to be awaited by the loop before it settled what it holds, which would wait for itself until the deadline:
   * leave the loop instead, or call it without `await`.
   */
  close(options?: CloseOptions): Promise<void>;
}

/** `subscribe`'s face of a reader. */
export class ReaderSubscription<Body> implements Subscription<Body> {
  readonly consumer: string;
  readonly #reader: Reader;
  readonly #close: (options: CloseOptions) => Promise<void>;
  #waiting: (() => void)[] = [];

  constructor(
    makeReader: (onReady: () => void) => Reader,
    close: (reader: Reader, options: CloseOptions) => Promise<void>,
  ) {
    this.#reader = makeReader(() => this.#wake());
    this.#close = (options) => close(this.#reader, options);
    this.consumer = this.#reader.consumer;
  }

  [Symbol.asyncIterator](): AsyncIterator<Delivery<Body>> {
    return {
      next: () => this.#next(),
      return: async () => {
        // What the loop left unsettled cannot be settled by it any more: waiting for it would be for nothing.
        await this.close({ deadlineMs: 0 });
        return { done: true, value: undefined };
      },
    };
  }

  close(options: CloseOptions = {}): Promise<void> {
    return this.#close(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #next(): Promise<IteratorResult<Delivery<Body>>> {
    if (!this.#reader.stopping) await this.#reader.open();
    for (;;) {
      if (this.#reader.stopping) return { done: true, value: undefined };
      const delivery = this.#reader.take();
      // The reader decoded the body with the topic's schema, whose output is Body.
      if (delivery !== null) return { done: false, value: delivery as HeldDelivery<Body> };
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
