import { type MemoryDriver, type MemoryOptions, type MemoryStore, memory, memoryStore } from 'signalbox/memory';
import {
  type Counts,
  type Death,
  type DriverEvent,
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
} from '../../../src/queue/driver.js';
import { VirtualClock } from '../../../src/queue/virtual-clock.js';

/** A store on a virtual clock with the topic `jobs`, and one client of it. */
export interface World {
  readonly clock: VirtualClock;
  readonly store: MemoryStore;
  readonly driver: MemoryDriver;
}

export async function world(topic: Partial<TopicTopology> = {}): Promise<World> {
  const clock = new VirtualClock();
  const store = memoryStore({ clock });
  const driver = await opened({ store });
  await driver.declare({ topics: [topology(topic)] }, { mode: 'assert', change: false });
  return { clock, store, driver };
}

export async function opened(options: MemoryOptions, events: DriverEvent[] = []): Promise<MemoryDriver> {
  const driver = memory(options);
  await driver.open({ logger: { info() {}, warn() {} }, emit: (event) => events.push(event) });
  return driver;
}

/** The topic `jobs` with the group `default`, unless told otherwise. */
export function topology(topic: Partial<TopicTopology> = {}): TopicTopology {
  const groups = [{ name: 'default', patterns: ['#'] }];
  return { name: 'jobs', ordering: 'none', lanes: 1, groups, maxRedeliveries: 20, expectedDelaysMs: [], ...topic };
}

export function subscribed(
  driver: MemoryDriver,
  options: {
    readonly topic?: string;
    readonly group?: string;
    readonly onLost?: (receipts: readonly Receipt[]) => void;
  } = {},
): Promise<DriverSubscription> {
  const { topic = 'jobs', group = 'default', onLost = () => {} } = options;
  return driver.subscribe({ topic, group, prefetch: 1000, consumer: 'reader', onLost });
}

let lastNonce = 0;

type Sketch = Partial<Omit<Send, 'message'>> & Partial<Omit<StoredMessage, 'body'>>;

/** A send to the topic `jobs` of a message with this id, its body the same text. */
export function entry(id: string, sketch: Sketch = {}): Send {
  const { topic = 'jobs', key = null, routingKey = null, headers = {}, publishedAt = 0, format = 1, ...send } = sketch;
  const body = new TextEncoder().encode(id);
  return {
    target: { kind: 'topic' },
    message: { id, topic, key, routingKey, headers, body, publishedAt, format },
    lane: 0,
    counts: freshCounts,
    delayMs: 0,
    nonce: `nonce ${++lastNonce}`,
    unmatched: 'reject',
    dedup: null,
    ...send,
  };
}

export function toDead(
  id: string,
  sketch: Sketch & { readonly expireAfterMs?: number; readonly group?: string } = {},
): Send {
  const { expireAfterMs = null, group = 'default', ...rest } = sketch;
  return entry(id, { ...rest, target: { kind: 'dead', group, death, expireAfterMs } });
}

export const death: Death = {
  cause: 'rejected',
  reason: 'no good',
  error: { name: 'TypeError', message: 'x is not a function', stack: null },
  attempt: 2,
  postpones: 1,
  redeliveries: 0,
  firstFailedAt: 5,
  lastFailedAt: 6,
  origin: 'reader',
};

/** Sends all in one batch and demands that all are stored. */
export async function send(driver: MemoryDriver, ...batch: readonly Send[]): Promise<void> {
  for (const result of await driver.send(batch)) {
    if (result.status !== 'stored') throw new Error(`not stored: ${JSON.stringify(result)}`);
  }
}

export async function sendOne(driver: MemoryDriver, one: Send, within?: unknown): Promise<SendResult> {
  const [result] = await driver.send([one], within);
  return result as SendResult;
}

/** The signal of a `receive` that nobody ends early. */
export function unhurried(): AbortSignal {
  return new AbortController().signal;
}

/** What is there now, without waiting. */
export function taken(subscription: DriverSubscription, max = 1000): Promise<readonly Received[]> {
  return subscription.receive(max, 0, unhurried());
}

export async function takenOne(subscription: DriverSubscription): Promise<Received> {
  const [received] = await taken(subscription, 1);
  if (received === undefined) throw new Error('nothing to receive');
  return received;
}

/** Receives what is there now, acks it, and answers the ids in the order of service. */
export async function drained(subscription: DriverSubscription): Promise<readonly (string | null)[]> {
  const ids: (string | null)[] = [];
  for (;;) {
    const received = await taken(subscription);
    if (received.length === 0) return ids;
    ids.push(...idsOf(received));
    await subscription.settle(received.map(({ receipt }) => ack(receipt)));
  }
}

export function idsOf(received: readonly { readonly message: StoredMessage }[]): readonly (string | null)[] {
  return received.map(({ message }) => message.id);
}

export async function settled(subscription: DriverSubscription, settlement: Settlement): Promise<SettleResult> {
  const [result] = await subscription.settle([settlement]);
  return result as SettleResult;
}

export function ack(receipt: Receipt, outbox: readonly Send[] = []): Settlement {
  return { kind: 'ack', receipt, outbox };
}

export function release(receipt: Receipt, delayMs = 0, counts: Counts = freshCounts): Settlement {
  return { kind: 'release', receipt, delayMs, counts };
}

export function giveBack(receipt: Receipt): Settlement {
  return { kind: 'give-back', receipt };
}

/** Whether a promise has settled once everything that can settle without time has. */
export async function isPending(promise: Promise<unknown>, clock: VirtualClock): Promise<boolean> {
  let pending = true;
  const end = (): void => {
    pending = false;
  };
  promise.then(end, end);
  await clock.advance(0);
  return pending;
}
