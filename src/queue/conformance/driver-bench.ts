import assert from 'node:assert/strict';
import {
  type Capabilities,
  type Counts,
  type Death,
  type Driver,
  type DriverSubscription,
  freshCounts,
  type Receipt,
  type Received,
  type Send,
  type SendResult,
  type Settlement,
  type SettleResult,
  type StoredMessage,
  type TopicTopology,
} from '../driver.js';
import { laneOf } from '../lane.js';
import { Bench } from './bench.js';
import type { Harness } from './harness.js';
import { unhurried } from './unhurried.js';

export interface DriverTopic extends TopicTopology {}

/** What may be said about an entry besides its id; the body is the id's text unless given. */
export type Sketch = Partial<Omit<Send, 'message' | 'lane' | 'nonce'>> &
  Partial<Omit<StoredMessage, 'topic'>> & { readonly nonce?: string };

let nonces = 0;
const utf8 = new TextEncoder();

/** The vocabulary of cases that speak to a driver alone. */
export class DriverBench extends Bench {
  /** The first client, opened. */
  readonly driver: Driver;
  /** What each subscription reads. */
  readonly #read = new WeakMap<DriverSubscription, { readonly topic: string; readonly group: string }>();

  private constructor(harness: Harness, capabilities: Capabilities, driver: Driver) {
    super(harness, capabilities);
    this.driver = driver;
  }

  static async make(harness: Harness, capabilities: Capabilities): Promise<DriverBench> {
    const driver = await harness.client();
    const bench = new DriverBench(harness, capabilities, driver);
    await bench.open(driver);
    return bench;
  }

  /** Declares a topic with a name of its own; `default` is its only group unless told otherwise. */
  async declare(sketch: Partial<TopicTopology> = {}): Promise<DriverTopic> {
    const topic = this.topology(sketch);
    await this.time.until(this.driver.declare({ topics: [topic] }, { mode: 'assert', change: false }));
    return topic;
  }

  topology(sketch: Partial<TopicTopology> = {}): DriverTopic {
    return {
      name: this.name('topic'),
      ordering: 'none',
      lanes: sketch.ordering === 'key' ? 8 : 1,
      groups: [{ name: 'default', patterns: ['#'] }],
      maxRedeliveries: 20,
      expectedDelaysMs: [],
      ...sketch,
    };
  }

  async subscribe(
    topic: DriverTopic,
    options: {
      readonly group?: string;
      readonly driver?: Driver;
      readonly prefetch?: number;
      readonly onLost?: (receipts: readonly Receipt[]) => void;
    } = {},
  ): Promise<DriverSubscription> {
    const { group = 'default', driver = this.driver, prefetch = 1_000, onLost = () => {} } = options;
    const subscription = await this.time.until(
      driver.subscribe({ topic: topic.name, group, prefetch, consumer: this.name('reader'), onLost }),
    );
    this.#read.set(subscription, { topic: topic.name, group });
    return subscription;
  }

  entry(topic: DriverTopic, id: string, sketch: Sketch = {}): Send {
    const {
      target = { kind: 'topic' },
      counts = freshCounts,
      delayMs = 0,
      unmatched = 'reject',
      dedup = null,
    } = sketch;
    const { nonce = `${this.name('nonce')}.${++nonces}`, ...message } = sketch;
    const {
      key = null,
      routingKey = null,
      headers = {},
      body = utf8.encode(id),
      publishedAt = 1,
      format = 1,
    } = message;
    return {
      target,
      message: {
        id: message.id === undefined ? id : message.id,
        topic: topic.name,
        key,
        routingKey,
        headers,
        body,
        publishedAt,
        format,
      },
      lane: laneOf(key ?? id, topic.lanes),
      counts,
      delayMs,
      nonce,
      unmatched,
      dedup,
    };
  }

  /** Sends all of them, in batches that the backend takes, and demands that each is stored. */
  async send(...entries: readonly Send[]): Promise<void> {
    for (const result of await this.trySend(...entries)) {
      assert.equal(result.status, 'stored', result.status === 'failed' ? String(result.error) : result.status);
    }
  }

  async trySend(...entries: readonly Send[]): Promise<readonly SendResult[]> {
    const { batch } = this.capabilities.limits;
    const results: SendResult[] = [];
    for (let from = 0; from < entries.length; from += batch)
      results.push(...(await this.time.until(this.driver.send(entries.slice(from, from + batch)))));
    return results;
  }

  /** Receives exactly so many; lets time pass while they are not there yet. */
  async receive(subscription: DriverSubscription, count: number, withinMs = 10_000): Promise<readonly Received[]> {
    const received: Received[] = [];
    await this.time.eventually(
      `${count} messages come`,
      async () => {
        if (received.length < count) received.push(...(await this.ask(subscription, count - received.length)));
        return received.length >= count;
      },
      withinMs,
    );
    return received;
  }

  async receiveOne(subscription: DriverSubscription, withinMs = 10_000): Promise<Received> {
    const [received] = await this.receive(subscription, 1, withinMs);
    return received as Received;
  }

  /** As `receive`, from several readers at once. */
  async receiveByAny(readers: readonly DriverSubscription[], count: number): Promise<readonly Received[]> {
    const received: Received[] = [];
    await this.time.eventually(`${count} messages come`, async () => {
      for (const reader of readers)
        if (received.length < count) received.push(...(await this.ask(reader, count - received.length, 0)));
      return received.length >= count;
    });
    return received;
  }

  /** One `receive`, which has to be answered in time. */
  ask(subscription: DriverSubscription, max: number, waitMs = this.time.quietMs): Promise<readonly Received[]> {
    return this.time.until(subscription.receive(max, waitMs, unhurried()), waitMs + 10_000);
  }

  /** Receives and acks until nothing comes any more; answers the ids in the order in which they came. */
  async drain(subscription: DriverSubscription): Promise<readonly (string | null)[]> {
    const ids: (string | null)[] = [];
    await this.time.settle();
    let patience = this.time.patience();
    for (;;) {
      const received = await this.ask(subscription, 100);
      if (received.length > 0) patience = this.time.patience();
      else if (!(await patience.lasts(() => this.#ready(subscription)))) return ids;
      ids.push(...idsOf(received));
      await this.settle(subscription, ...received.map(({ receipt }) => ack(receipt)));
    }
  }

  /** How many the backend says are there for a subscription; null where it does not say. */
  async #ready(subscription: DriverSubscription): Promise<number | null> {
    const read = this.#read.get(subscription);
    if (read === undefined) return null;
    // By a client of its own: the reader's may be gone.
    const asking = this.driver.admin.depth(read.topic, read.group).then(
      ({ ready }) => ready,
      () => null,
    );
    return this.time.until(asking);
  }

  /** Demands that nothing is handed out now, or for so long. */
  async nothing(subscription: DriverSubscription, forMs = this.time.quietMs): Promise<void> {
    if (this.time.isVirtual) await this.time.settle();
    const received = await this.ask(subscription, 1_000, forMs);
    assert.deepEqual(idsOf(received), [], 'something was handed out that should not have been');
  }

  async settle(
    subscription: DriverSubscription,
    ...settlements: readonly Settlement[]
  ): Promise<readonly SettleResult['status'][]> {
    const { batch } = this.capabilities.limits;
    const results: SettleResult[] = [];
    for (let from = 0; from < settlements.length; from += batch)
      results.push(...(await this.time.until(subscription.settle(settlements.slice(from, from + batch)))));
    return results.map(({ status }) => status);
  }

  /** Demands that it takes effect. */
  async settleDone(subscription: DriverSubscription, ...settlements: readonly Settlement[]): Promise<void> {
    const statuses = await this.settle(subscription, ...settlements);
    assert.deepEqual(new Set(statuses), new Set(settlements.length === 0 ? [] : ['done']));
  }
}

export function idsOf(received: readonly { readonly message: StoredMessage }[]): readonly (string | null)[] {
  return received.map(({ message }) => message.id);
}

export function ack(receipt: Receipt, outbox: readonly Send[] = []): Settlement {
  return { kind: 'ack', receipt, outbox };
}

export function release(receipt: Receipt, delayMs: number, counts: Partial<Counts> = {}): Settlement {
  return { kind: 'release', receipt, delayMs, counts: { ...freshCounts, ...counts } };
}

export function giveBack(receipt: Receipt): Settlement {
  return { kind: 'give-back', receipt };
}

/** All that a message may carry beside its id and body, none of it usual. */
export const eventful = {
  key: 'Key ',
  routingKey: 'a.B ',
  headers: { Header: ' v ', other: '' },
  publishedAt: 1_750_000_000_123,
} as const satisfies Sketch;

/** What comes of an entry `whole` that was sent as `eventful`. */
export function whole(topic: string): StoredMessage {
  return { id: 'whole', topic, ...eventful, body: utf8.encode('whole'), format: 1 };
}

/** For comparisons: the same bytes, and headers of whatever prototype. */
export function plain(message: StoredMessage): unknown {
  return { ...message, headers: { ...message.headers }, body: Buffer.from(message.body).toString('hex') };
}

/** A death as the portable layer would write it. */
export const death: Death = {
  cause: 'rejected',
  reason: 'no good',
  error: { name: 'TypeError', message: 'x is not a function', stack: 'TypeError: x is not a function\n    at y' },
  attempt: 2,
  postpones: 1,
  redeliveries: 3,
  firstFailedAt: 5,
  lastFailedAt: 6,
  origin: 'somebody',
};

/** The target of a dead letter of `default`, unless told otherwise. */
export function deadOf(group = 'default', expireAfterMs: number | null = null): Send['target'] {
  return { kind: 'dead', group, death, expireAfterMs };
}
