import type { QueueContext } from './context.js';
import type { Send } from './driver.js';
import { QueueError } from './errors.js';
import { quotedTopic } from './names.js';
import { type MessageOptions, outboxOptionNames, prepare } from './outgoing.js';
import { type BatchEntry, checkEntries, checkEntry } from './publisher.js';
import type { BodyInput, Topic } from './topic.js';

/**
 * Messages that leave with a delivery's ack: in the same instant where the backend can (SQL, memory), made
 * durable before the ack elsewhere; dropped when the delivery is not acked. Each call resolves once the
 * message was checked and collected; nothing has been sent then. Delays count from the ack. A message that is
 * refused rejects its own call and is not collected; what was collected is not touched.
 */
export interface Outbox {
  publish<T extends Topic>(topic: T, body: BodyInput<T>, options?: MessageOptions): Promise<Collected>;
  publishAfter<T extends Topic>(
    topic: T,
    body: BodyInput<T>,
    delayMs: number,
    options?: MessageOptions,
  ): Promise<Collected>;
  publishBatch<T extends Topic>(topic: T, entries: readonly BatchEntry<BodyInput<T>>[]): Promise<readonly Collected[]>;
}

/** What is known of a message that has not left yet. */
export interface Collected {
  readonly id: string;
}

/** The outbox of one delivery, to be emptied by its ack. */
export class DeliveryOutbox implements Outbox {
  readonly #context: QueueContext;
  readonly #of: string;
  readonly #collected = new Set<Send | Promise<Send>>();
  #sealed = false;

  constructor(context: QueueContext, of: string) {
    this.#context = context;
    this.#of = of;
  }

  publish<T extends Topic>(topic: T, body: BodyInput<T>, options: MessageOptions = {}): Promise<Collected> {
    return this.#collect(topic, body, 0, options);
  }

  publishAfter<T extends Topic>(
    topic: T,
    body: BodyInput<T>,
    delayMs: number,
    options: MessageOptions = {},
  ): Promise<Collected> {
    return this.#collect(topic, body, delayMs, options);
  }

  async publishBatch<T extends Topic>(
    topic: T,
    entries: readonly BatchEntry<BodyInput<T>>[],
  ): Promise<readonly Collected[]> {
    return Promise.all(
      checkEntries(entries).map(async (entry) => {
        const { body, delayMs = 0, ...options } = checkEntry(entry);
        return this.#collect(topic, body, delayMs, options);
      }),
    );
  }

  /** What leaves with the ack. After a failed ack it may be called again. */
  async seal(): Promise<readonly Send[]> {
    this.#sealed = true;
    const sends = await Promise.allSettled(this.#collected);
    return sends.flatMap((send) => (send.status === 'fulfilled' ? [send.value] : []));
  }

  async #collect(topic: Topic, body: unknown, delayMs: number, options: MessageOptions): Promise<Collected> {
    if (this.#sealed) {
      throw new QueueError(
        `cannot publish to the outbox of a delivery of ${this.#of}: it was acked; publish before the ack`,
        { code: 'already-settled' },
      );
    }
    const operation = `publish from an outbox to ${quotedTopic(topic)}`;
    const prepared = prepare(this.#context, operation, topic, body, delayMs, options, outboxOptionNames);
    this.#collected.add(prepared);
    const { message } = await prepared;
    return { id: message.id as string };
  }
}
