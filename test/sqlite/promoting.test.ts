// Of this driver alone: it promotes what falls due bit by bit, and nobody may see that.
import { expect, test } from 'vitest';
import { consumeAll, entry, OnAFile, readerOf, take } from './on-a-file.js';

const dueAtOnce = 1_100;

async function withManyDue(file: OnAFile, topic: 'plain' | 'keyed') {
  const driver = await file.driver();
  const key = topic === 'keyed' ? 'k' : null;
  const ids = Array.from({ length: dueAtOnce }, (_, n) => `due ${n}`);
  for (let from = 0; from < dueAtOnce; from += 500) {
    await driver.send(ids.slice(from, from + 500).map((id) => entry(topic, id, { key, delayMs: 1_000 })));
  }
  await file.clock.advance(2_000);
  return { driver, key, ids };
}

test.each(['plain', 'keyed'] as const)(
  'what is published after many fell due is served after them (%s)',
  async (topic) => {
    await using file = new OnAFile();
    const { driver, key, ids } = await withManyDue(file, topic);

    await driver.send([entry(topic, 'after 1', { key }), entry(topic, 'after 2', { key })]);

    expect(await driver.admin.depth(topic, 'default')).toMatchObject({
      ready: dueAtOnce + 2,
      delayed: 0,
      oldestAgeMs: 1_000,
    });
    expect(await consumeAll(await readerOf(driver, topic), 400)).toEqual([...ids, 'after 1', 'after 2']);
  },
);

test('so is what is retried at once', async () => {
  await using file = new OnAFile();
  const driver = await file.driver();
  const reader = await readerOf(driver, 'plain');
  await driver.send([entry('plain', 'retried')]);
  const [held] = await take(reader, 1);
  const { ids } = await withManyDue(file, 'plain');

  const counts = { attempt: 2, postpones: 0, firstFailedAt: 1 };
  await reader.settle([{ kind: 'release', receipt: held?.receipt ?? {}, delayMs: 0, counts }]);

  expect(await consumeAll(reader, 400)).toEqual([...ids, 'retried']);
});

test('what is delayed is drained in the order in which it is served', async () => {
  await using file = new OnAFile();
  const { driver, ids } = await withManyDue(file, 'keyed');
  await driver.send([entry('keyed', 'after', { key: 'k' }), entry('keyed', 'later', { key: 'k', delayMs: 1 })]);
  const drained: unknown[] = [];

  const keep = async (waiting: readonly { readonly message: { readonly id: string | null } }[]) =>
    void drained.push(...waiting.map(({ message }) => message.id));
  while ((await driver.admin.drain?.('keyed', 'default', 400, keep)) !== 0);

  expect(drained).toEqual([...ids, 'after', 'later']);
});
