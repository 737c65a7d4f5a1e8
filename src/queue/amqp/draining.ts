import { Refusal, type SubscribeOptions, type Waiting } from '../driver.js';
import type { Catalogue } from './catalogue.js';
import { shapeIn } from './catalogue-content.js';
import type { Link } from './connection/index.js';
import type { Handed } from './feed.js';
import { identityOf } from './message-coding.js';
import type { Mover } from './mover.js';
import type { Names } from './names.js';
import type { Objects } from './objects.js';
import type { AmqpSubscription } from './subscription.js';

/**
 * How many of a lane are asked for at once. What is not taken goes back when the channel is closed, and RabbitMQ 4.3.6 mixed up what it put
 * back of a prefetch of 125 (60 messages of three keys; measured by what came out), which it does not do with so few.
 */
const perLane = 32;

/** How long a group's queues may take to show their first message. */
const firstMessageMs = 1_000;

export interface DrainingOptions {
  readonly link: Link;
  readonly names: Names;
  readonly objects: Objects;
  readonly catalogue: Catalogue;
  readonly mover: Mover;
  /** A subscription that no pause stops. */
  readonly read: (options: SubscribeOptions) => Promise<AmqpSubscription>;
}

/** Takes messages out of the broker for another backend. */
export class Draining {
  readonly #options: DrainingOptions;
  /** Kept from one call to the next, by topic and group, until nothing comes: what was pushed is not put back in between. */
  readonly #reading = new Map<string, AmqpSubscription>();

  constructor(options: DrainingOptions) {
    this.#options = options;
  }

  /** See `DriverAdmin.drain`. What is delayed is not among it. */
  async drain(
    topic: string,
    group: string,
    max: number,
    keep: (waiting: readonly Waiting[]) => Promise<void>,
  ): Promise<number> {
    const name = JSON.stringify([topic, group]);
    const subscription = this.#reading.get(name) ?? (await this.#read(topic, group, max));
    this.#reading.set(name, subscription);
    let taken = 0;
    try {
      taken = await take(subscription, { topic, group, max, keep });
    } finally {
      if (taken === 0) {
        this.#reading.delete(name);
        await subscription.close();
      }
    }
    return taken;
  }

  async #read(topic: string, group: string, max: number): Promise<AmqpSubscription> {
    const { catalogue, read } = this.#options;
    const shape = shapeIn(catalogue.seen, topic) ?? shapeIn(await catalogue.refresh(), topic);
    return read({
      topic,
      group,
      prefetch: shape?.ordering === 'key' ? Math.min(max, perLane * shape.lanes) : max,
      consumer: `${topic}.${group}.drain`,
      onLost() {},
    });
  }

  /** What stands in the queues of delays, and in that of the movers, one of which runs here from now on. */
  async inTransit(): Promise<number> {
    const { names, objects, catalogue, mover } = this.#options;
    mover.start();
    const { delaysMs } = await catalogue.refresh();
    const queues = [names.due, ...delaysMs.map((ms) => names.delay(ms))];
    const missing = new Set(await objects.missing(queues));
    return objects.ready(queues.filter((queue) => !missing.has(queue)));
  }
}

async function take(
  subscription: AmqpSubscription,
  {
    topic,
    group,
    max,
    keep,
  }: {
    readonly topic: string;
    readonly group: string;
    readonly max: number;
    readonly keep: (waiting: readonly Waiting[]) => Promise<void>;
  },
): Promise<number> {
  const received = await subscription.receive(max, firstMessageMs, new AbortController().signal);
  if (received.length === 0) return 0;
  await keep(
    received.map(({ message, counts, receipt, fault = null }) => ({
      message,
      counts,
      delayMs: 0,
      identity: identityOf((receipt as Handed).delivery.message),
      fault,
    })),
  );
  const results = await subscription.settle(received.map(({ receipt }) => ({ kind: 'ack', receipt, outbox: [] })));
  if (results.every(({ status }) => status === 'done')) return received.length;
  throw new Refusal(
    'unavailable',
    `the connection was lost while messages of group "${group}" of "${topic}" were taken out, and they may come again`,
    'go on: what is in both places has the same id',
  );
}
