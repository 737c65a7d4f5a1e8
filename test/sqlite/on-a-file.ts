import { VirtualClock } from 'signalbox';
import { type DriverSubscription, freshCounts, type Received, type Send } from '../../src/queue/driver.js';
import { SqliteDriver } from '../../src/queue/sqlite/driver.js';
import { settingsOf } from '../../src/queue/sqlite/options.js';
import { plain } from '../topologies.js';
import { TemporaryFolder } from './temporary-folder.js';

const topics = [
  { ...plain, name: 'plain' },
  { ...plain, name: 'keyed', ordering: 'key', lanes: 4 },
] as const;

let nonces = 0;

/** Drivers on one file and one virtual clock, with an unordered topic and an ordered one. Ends with the block. */
export class OnAFile implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly folder = new TemporaryFolder();
  readonly #drivers: SqliteDriver[] = [];

  get path(): string {
    return this.folder.file;
  }

  async driver(): Promise<SqliteDriver> {
    const driver = new SqliteDriver(settingsOf({ path: this.path, clock: this.clock }));
    await driver.open({ logger: { info() {}, warn() {} }, emit() {} });
    this.#drivers.push(driver);
    await driver.declare({ topics }, { mode: 'assert', change: false });
    return driver;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const driver of this.#drivers) await driver.close();
    this.folder[Symbol.dispose]();
  }
}

export function entry(
  topic: 'plain' | 'keyed',
  id: string,
  {
    key = null,
    delayMs = 0,
    dedup = null,
  }: Partial<Pick<Send, 'delayMs' | 'dedup'> & { readonly key: string | null }> = {},
): Send {
  return {
    target: { kind: 'topic' },
    message: { id, topic, key, routingKey: null, headers: {}, publishedAt: 0, format: 1, body: Buffer.from(id) },
    ...{ lane: 0, counts: freshCounts, delayMs, nonce: `${++nonces}`, unmatched: 'reject', dedup },
  };
}

export function readerOf(driver: SqliteDriver, topic: 'plain' | 'keyed'): Promise<DriverSubscription> {
  return driver.subscribe({ topic, group: 'default', prefetch: 1_000, consumer: 'reader', onLost: () => {} });
}

/** What there is at once. */
export function take(reader: DriverSubscription, max: number): Promise<readonly Received[]> {
  return reader.receive(max, 0, new AbortController().signal);
}

/** Takes and acks one after another, up to `max` at a time, until nothing comes; the ids in their order. */
export async function consumeAll(reader: DriverSubscription, max: number): Promise<readonly string[]> {
  const ids: string[] = [];
  for (;;) {
    const received = await take(reader, max);
    if (received.length === 0) return ids;
    ids.push(...received.map(({ message }) => String(message.id)));
    await reader.settle(received.map(({ receipt }) => ({ kind: 'ack', receipt, outbox: [] })));
  }
}
