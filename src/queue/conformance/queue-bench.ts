import assert from 'node:assert/strict';
import { z } from 'zod';
import type { Consumer, Handler } from '../consumer.js';
import type { Delivery } from '../delivery.js';
import { type Driver, freshCounts, type Received, type StoredMessage } from '../driver.js';
import { QueueError, type QueueErrorCode } from '../errors.js';
import type { QueueEventName, QueueEvents } from '../events.js';
import { laneOf } from '../lane.js';
import { type ConsumeOptions, openDriver, type Queue, type QueueOptions, type SubscribeOptions } from '../queue.js';
import type { Subscription } from '../subscription.js';
import { defineTopic, type Topic, type TopicOptions } from '../topic.js';
import { Bench } from './bench.js';
import { type Interference, interfered } from './interference.js';
import { unhurried } from './unhurried.js';

const anyBody = z.unknown();

export type AnyTopic = Topic<typeof anyBody>;

/** One queue of a case, and what stands behind it. */
export interface OpenedQueue {
  readonly queue: Queue;
  readonly driver: Driver;
}

/** How to open a queue: as users do, with a client of the case's choice and something in its way. */
export type Opening = Partial<QueueOptions> & {
  readonly interference?: Interference;
  readonly client?: Driver | Promise<Driver> | undefined;
};

/** The vocabulary of cases that speak to a queue, as users do. */
export class QueueBench extends Bench {
  /** A topic with a name of its own, whose bodies may be anything. */
  topic(options: Partial<TopicOptions<typeof anyBody>> = {}): AnyTopic {
    return defineTopic(this.name('topic'), { schema: anyBody, ...options });
  }

  /** One topic as it is declared in two releases: the strict one wants a name, the loose one anything. */
  strictAndLoose() {
    const name = this.name('topic');
    return {
      strict: defineTopic(name, { schema: z.object({ name: z.string() }) }),
      loose: defineTopic(name, { schema: anyBody }),
    };
  }

  /** A queue on a client of its own, with nothing left to chance; closed when the case ends. */
  async queue(topics: readonly Topic[], options: Opening = {}): Promise<Queue> {
    return (await this.opened(topics, options)).queue;
  }

  /** As `queue`, for cases that do something to the client behind it. */
  async opened(
    topics: readonly Topic[],
    { interference = {}, client, ...options }: Opening = {},
  ): Promise<OpenedQueue> {
    const driver = await (client ?? this.harness.client());
    const open = this.harness.openQueue ?? openDriver;
    const queue = await this.time.until(
      open(interfered(driver, interference), { topics, logger: this.logger, random: () => 0.5, ...options }),
    );
    this.atEnd(async () => {
      if (!this.wasKilled(driver)) await this.time.until(queue.close({ deadlineMs: 0 }));
    });
    return { queue, driver };
  }

  /** A consumer with this handler; what it was handed is in `seen`, in order. */
  async consume(
    queue: Queue,
    topic: AnyTopic,
    handler: Handler = () => {},
    options: ConsumeOptions = {},
  ): Promise<{ readonly consumer: Consumer; readonly seen: Delivery[] }> {
    const seen: Delivery[] = [];
    const consumer = await this.time.until(
      queue.consume(
        topic,
        (delivery) => {
          seen.push(delivery);
          return handler(delivery);
        },
        options,
      ),
    );
    return { consumer, seen };
  }

  /** A subscription, one delivery at a time. */
  subscribe(queue: Queue, topic: AnyTopic, options: SubscribeOptions = {}): Reading {
    return new Reading(this, queue.subscribe(topic, options));
  }

  /** What is told about these facts from now on, in order. */
  listen<Name extends QueueEventName>(queue: Queue, ...names: readonly Name[]): Heard<Name>[] {
    const heard: Heard<Name>[] = [];
    for (const name of names)
      queue.events.on(name, (event) => heard.push({ name, ...event } as unknown as Heard<Name>));
    return heard;
  }

  /** The call rejects with a `QueueError` of this code; answers it. */
  async rejects(code: QueueErrorCode, call: Promise<unknown> | (() => unknown)): Promise<QueueError> {
    let error: unknown;
    try {
      const called = typeof call === 'function' ? (async () => call())() : call;
      await this.time.until(called);
    } catch (thrown) {
      error = thrown;
    }
    assert.ok(error !== undefined, `expected an error with code ${code}, and there was none`);
    assert.ok(error instanceof QueueError, `expected a QueueError with code ${code}, not ${String(error)}`);
    assert.equal(error.code, code, error.message);
    return error;
  }

  /** A message as another release, or somebody else, would have written it: straight through a driver. */
  async sendRaw(topic: AnyTopic, id: string, sketch: Partial<StoredMessage> = {}): Promise<void> {
    const driver = await this.open();
    const message: StoredMessage = {
      id,
      topic: topic.name,
      key: null,
      routingKey: null,
      headers: {},
      body: Buffer.from('null'),
      publishedAt: 1,
      format: 1,
      ...sketch,
    };
    const [result] = await this.time.until(
      driver.send([
        {
          target: { kind: 'topic' },
          message,
          lane: laneOf(message.key ?? id, topic.lanes),
          counts: freshCounts,
          delayMs: 0,
          nonce: this.name('raw'),
          unmatched: 'reject',
          dedup: null,
        },
      ]),
    );
    assert.equal(result?.status, 'stored');
  }

  /** The next message of the group `default` as a driver hands it out. */
  async rawAgain(topic: AnyTopic, withinMs: number): Promise<Received> {
    const driver = await this.open();
    const reader = await driver.subscribe({
      topic: topic.name,
      group: 'default',
      prefetch: 1,
      consumer: this.name('raw'),
      onLost() {},
    });
    const [received] = await this.time.until(reader.receive(1, withinMs, unhurried()), 2 * withinMs);
    assert.ok(received !== undefined, 'nothing is there');
    return received;
  }

  /** Everything in one group, now: receives and acks until nothing comes any more. */
  async drain(queue: Queue, topic: AnyTopic, group = 'default'): Promise<readonly Delivery[]> {
    const { consumer, seen } = await this.consume(queue, topic, () => {}, { group });
    let patience = this.time.patience();
    const ready = async (): Promise<number | null> => {
      const { ready, inHand } = await this.time.until(queue.admin.depth(topic, group));
      return ready === null ? null : ready + (inHand ?? 0);
    };
    let before = -1;
    while (before !== seen.length || (await patience.lasts(ready))) {
      if (before !== seen.length) patience = this.time.patience();
      before = seen.length;
      await this.time.settle();
    }
    await this.time.until(consumer.close());
    return seen;
  }

  /** Nothing waits in the group, nothing is delayed and nothing is in hand, as far as the backend can know. */
  async isEmpty(queue: Queue, topic: AnyTopic, group = 'default'): Promise<void> {
    await this.time.settle();
    const look = async (): Promise<readonly number[]> => {
      const { ready, delayed, inHand } = await this.time.until(queue.admin.depth(topic, group));
      return [ready ?? 0, delayed ?? 0, inHand ?? 0];
    };
    // What was handled may still be on its way to the backend, where that takes time.
    const endsAt = this.time.now() + this.time.lateMs;
    let depth = await look();
    while (this.time.now() < endsAt && depth.some((count) => count > 0)) {
      await this.time.settle();
      depth = await look();
    }
    assert.deepEqual(depth, [0, 0, 0], 'ready, delayed, in hand');
  }
}

export type Heard<Name extends QueueEventName> = { readonly name: Name } & QueueEvents[Name];

/** A subscription that is read by hand. */
export class Reading {
  readonly subscription: Subscription;
  readonly #bench: Bench;
  readonly #iterator: AsyncIterator<Delivery>;
  #asked: Promise<IteratorResult<Delivery>> | null = null;

  constructor(bench: Bench, subscription: Subscription) {
    this.#bench = bench;
    this.subscription = subscription;
    this.#iterator = subscription[Symbol.asyncIterator]();
  }

  /** The next delivery, which must come within this time. */
  async next(withinMs = 10_000): Promise<Delivery> {
    this.#asked ??= this.#iterator.next();
    const { value, done } = await this.#bench.time.until(this.#asked, withinMs);
    this.#asked = null;
    assert.notEqual(done, true, 'the subscription has ended');
    return value;
  }

  /** The next one, or null when none comes at once. */
  async nextNow(): Promise<Delivery | null> {
    this.#asked ??= this.#iterator.next();
    let delivery: Delivery | null = null;
    const asked = this.#asked;
    asked.then(
      ({ value }) => {
        delivery = value ?? null;
      },
      () => {},
    );
    await this.#bench.time.settle();
    if (delivery !== null) this.#asked = null;
    return delivery;
  }

  async take(count: number): Promise<readonly Delivery[]> {
    const deliveries: Delivery[] = [];
    while (deliveries.length < count) deliveries.push(await this.next());
    return deliveries;
  }
}

export function ids(deliveries: readonly { readonly message: { readonly id: string } }[]): readonly string[] {
  return deliveries.map(({ message }) => message.id);
}

export function bodies(deliveries: readonly { readonly message: { readonly body: unknown } }[]): readonly unknown[] {
  return deliveries.map(({ message }) => message.body);
}
