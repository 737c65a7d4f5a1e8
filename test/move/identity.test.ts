import { moveMessages, QueueError } from 'signalbox';
import { memory, memoryStore } from 'signalbox/memory';
import { describe, expect, test } from 'vitest';
import { driverOf } from '../../src/open-queue.js';
import type { Driver, StoredMessage } from '../../src/queue/driver.js';
import { plain } from '../topologies.js';
import { death, empty, entry, sendAll, withDriver } from './scene.js';
import { threeBackends } from './three-backends.js';

const freshUrl = await threeBackends();

/** What a foreign publisher writes: nothing tells one from another. */
const nameless: Partial<StoredMessage> = { id: null, publishedAt: null, format: null, body: Buffer.from('{}') };

const dead = { target: { kind: 'dead', group: 'default', death, expireAfterMs: null } } as const;

async function fill(driver: Driver, count: number): Promise<void> {
  await driver.declare({ topics: [plain] }, { mode: 'assert', change: false });
  await sendAll(
    driver,
    Array.from({ length: count }, () => entry('jobs', '', { message: nameless })),
  );
}

async function move(from: Driver, to: Driver) {
  const { groups } = await moveMessages(from, to, { watchMs: 0 });
  return groups.map(({ messages, deadLetters }) => [messages, deadLetters]);
}

/** What goes on when the target has stored the second batch, and nobody has heard of it. */
function cutAfterTwo(target: Driver, then: () => Promise<void> = async () => {}): Driver {
  const send = target.send.bind(target);
  let batches = 0;
  target.send = async (batch) => {
    const results = await send(batch);
    if (++batches < 2) return results;
    await then();
    throw new QueueError('the process is gone', { code: 'aborted' });
  };
  return target;
}

describe.concurrent.each([
  ['sqlite', 'sqlite'],
  ['mysql', 'sqlite'],
  ['amqp', 'sqlite'],
  ['mysql', 'mysql'],
] as const)('from %s to %s', (from, to) => {
  test('a queue that is moved, moved back and moved again is whole each time', { timeout: 180_000 }, async () => {
    const [source, target] = [await freshUrl[from](), await freshUrl[to]()];
    await withDriver(source, async (driver) => {
      await fill(driver, 3);
      await sendAll(driver, [
        entry('jobs', 'same'),
        entry('jobs', 'same'),
        entry('jobs', 'a', dead),
        entry('jobs', 'a', dead),
      ]);
    });

    for (let round = 0; round < 3; round++) {
      expect(await move(await driverOf(source), await driverOf(target))).toEqual([[5, 2]]);
      const { waiting, letters } = await withDriver(target, async (driver) => {
        const { ready, dead } = await driver.admin.depth('jobs', 'default');
        return { waiting: ready, letters: dead };
      });
      expect([waiting, letters]).toEqual([5, 2]);
      if (round < 2) expect(await move(await driverOf(target), await driverOf(source))).toEqual([[5, 2]]);
    }
  });

  test('of messages that are the same in everything, each is there once after a crash', {
    timeout: 180_000,
  }, async () => {
    const [source, target] = [await freshUrl[from](), await freshUrl[to]()];
    await withDriver(source, (driver) => fill(driver, 1_200));

    await expect(move(await driverOf(source), cutAfterTwo(await driverOf(target)))).rejects.toThrow('is gone');
    // What the first run had taken is no longer there: what it had not is met first now.
    await move(await driverOf(source), await driverOf(target));

    const { waiting } = await withDriver(target, (driver) => empty(driver, 'jobs', 'default'));
    expect(waiting).toHaveLength(1_200);
  });
});

test.each(['sqlite', 'mysql', 'amqp'] as const)(
  'of %s, a letter that is buried during the move is not lost, whatever its id',
  {
    timeout: 60_000,
  },
  async (from) => {
    const [source, target] = [await freshUrl[from](), await driverOf(await freshUrl.sqlite())];
    await withDriver(source, async (other) => {
      await fill(other, 0);
      await sendAll(
        other,
        Array.from({ length: 600 }, () => entry('jobs', 'a', dead)),
      );
      const buried: Driver = cutAfterTwo(target, () => sendAll(other, [entry('jobs', 'a', dead)]));

      await expect(move(await driverOf(source), buried)).rejects.toThrow('is gone');

      expect((await other.admin.depth('jobs', 'default')).dead).toBe(101);
    });
  },
);

test('what has no identity is rather stored twice than not at all', async () => {
  const [source, target] = [memoryStore(), memoryStore()];
  const nobodyKnows = (driver: Driver): Driver => {
    const { drain } = driver.admin;
    driver.admin.drain = async (name, group, max, keep) =>
      (await drain?.(name, group, max, (waiting) => keep(waiting.map((each) => ({ ...each, identity: null }))))) ?? 0;
    return driver;
  };
  const filling = memory({ store: source });
  await filling.open({ logger: { info() {}, warn() {} }, emit() {} });
  await fill(filling, 1_200);

  await expect(move(nobodyKnows(memory({ store: source })), cutAfterTwo(memory({ store: target })))).rejects.toThrow();
  await move(nobodyKnows(memory({ store: source })), memory({ store: target }));

  const kept = memory({ store: target });
  await kept.open({ logger: { info() {}, warn() {} }, emit() {} });
  expect((await empty(kept, 'jobs', 'default')).waiting).toHaveLength(1_200 + 500);
});
