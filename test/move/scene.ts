import { driverOf } from '../../src/open-queue.js';
import {
  type Death,
  type Driver,
  freshCounts,
  type Letter,
  type Send,
  type StoredMessage,
  type Waiting,
} from '../../src/queue/driver.js';
import { laneOf } from '../../src/queue/lane.js';
import { ordered } from '../topologies.js';

export const death: Death = {
  cause: 'attempts-exhausted',
  reason: 'no such image',
  error: { name: 'TypeError', message: 'x', stack: null },
  attempt: 5,
  postpones: 2,
  redeliveries: 1,
  firstFailedAt: 1_700_000_000_000,
  lastFailedAt: 1_700_000_100_000,
  origin: 'a consumer',
};

const topics = [
  {
    name: 'plain.images',
    ordering: 'none',
    lanes: 1,
    groups: [
      { name: 'audit', patterns: ['eu.#'] },
      { name: 'default', patterns: ['#'] },
    ],
    maxRedeliveries: 20,
    expectedDelaysMs: [],
  },
  ordered,
] as const;

export const keys = ['a', 'b', 'c'] as const;
export const perKey = 20;

let nonces = 0;

export function entry(
  topic: string,
  id: string,
  what: Partial<Omit<Send, 'message'>> & { readonly message?: Partial<StoredMessage> } = {},
): Send {
  const lanes = topic === 'keyed' ? 4 : 1;
  const message: StoredMessage = {
    id,
    topic,
    key: null,
    routingKey: null,
    headers: {},
    body: Buffer.from(`\u0000\u00ff ${id}`),
    publishedAt: 1_700_000_000_123,
    format: 1,
    ...what.message,
  };
  return {
    target: { kind: 'topic' },
    counts: freshCounts,
    delayMs: 0,
    unmatched: 'reject',
    dedup: null,
    ...what,
    message,
    lane: laneOf(message.key ?? id, lanes),
    nonce: `scene ${process.pid} ${++nonces}`,
  };
}

export async function open(url: string): Promise<Driver> {
  const driver = await driverOf(url);
  await driver.open({ logger: { info() {}, warn() {} }, emit() {} });
  return driver;
}

export async function withDriver<T>(url: string, use: (driver: Driver) => Promise<T>): Promise<T> {
  const driver = await open(url);
  try {
    return await use(driver);
  } finally {
    await driver.close();
  }
}

export async function sendAll(driver: Driver, sends: readonly Send[]): Promise<void> {
  const { batch } = driver.capabilities.limits;
  for (let from = 0; from < sends.length; from += batch) {
    const some = sends.slice(from, from + batch);
    for (const result of await driver.send(some)) if (result.status === 'failed') throw result.error;
  }
}

const toGroup = (group: string) => ({ target: { kind: 'group', group } as const });

/** One of everything. `delayMs` is that of what is delayed. */
export async function fill(url: string, delayMs: number): Promise<void> {
  await withDriver(url, async (driver) => {
    await driver.declare({ topics }, { mode: 'assert', change: false });
    const failed = { attempt: 3, postpones: 0, firstFailedAt: 1_700_000_000_500 };
    const buried = { target: { kind: 'dead', group: 'default', death, expireAfterMs: null } } as const;
    await sendAll(driver, [
      entry('plain.images', 'both', {
        message: { routingKey: 'eu.de', headers: { 'x-a': 'ä', CC: 'not routed' } },
      }),
      entry('plain.images', 'one group', { message: { routingKey: 'us' } }),
      entry('plain.images', 'audit alone', toGroup('audit')),
      entry('plain.images', 'twice', toGroup('default')),
      entry('plain.images', 'twice', toGroup('default')),
      entry('plain.images', 'retried', { ...toGroup('default'), counts: failed }),
      entry('plain.images', 'postponed', { ...toGroup('default'), counts: { ...freshCounts, postpones: 40 } }),
      entry('plain.images', 'delayed', { ...toGroup('default'), delayMs }),
      entry('plain.images', 'delayed retry', { ...toGroup('audit'), delayMs, counts: failed }),
      entry('plain.images', 'dead', { ...buried, message: { routingKey: 'r', headers: { h: '1' } } }),
      entry('plain.images', 'dead', { ...buried, message: { routingKey: 'other' } }),
      entry('plain.images', 'dead for a day', {
        target: { ...buried.target, expireAfterMs: 86_400_000 },
      }),
      ...Array.from({ length: perKey }, (_, n) =>
        keys.map((key) => entry('keyed', `${key}${n}`, { message: { key } })),
      ).flat(),
    ]);
  });
}

export interface Found {
  readonly waiting: readonly Waiting[];
  readonly letters: readonly Letter[];
}

/** Everything that is in a group, which is empty afterwards. */
export async function empty(driver: Driver, topic: string, group: string): Promise<Found> {
  const waiting: Waiting[] = [];
  const keep = async (some: readonly Waiting[]): Promise<void> => void waiting.push(...some);
  for (let misses = 0; misses < 2; ) if ((await driver.admin.drain?.(topic, group, 500, keep)) === 0) misses++;
  const { letters } = await driver.admin.letters({ kind: 'dead', topic, group }, { limit: 1_000, cursor: null });
  return { waiting, letters };
}
