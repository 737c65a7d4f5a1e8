// Of this driver alone: what its rows are to those that stay when others are taken out.
import { expect, test } from 'vitest';
import { consumeAll, entry, OnAFile, readerOf, take } from './on-a-file.js';

test('what stands behind a message of its key is served when that is drained', async () => {
  await using file = new OnAFile();
  const driver = await file.driver();
  await driver.send(['k1', 'k2', 'k3', 'k4'].map((id) => entry('keyed', id, { key: 'k' })));
  const reader = await readerOf(driver, 'keyed');
  // Once one is in hand, the next claim puts those behind it aside.
  const [first] = await take(reader, 1);
  expect(await take(reader, 10)).toEqual([]);
  await reader.settle([{ kind: 'give-back', receipt: first?.receipt ?? {} }]);

  const kept: unknown[] = [];
  const drained = await driver.admin.drain?.('keyed', 'default', 2, async (waiting) => {
    kept.push(...waiting.map(({ message }) => message.id));
  });

  expect([drained, kept]).toEqual([2, ['k1', 'k2']]);
  expect(await consumeAll(reader, 10)).toEqual(['k3', 'k4']);
});

test('what is published while others drain side by side is there afterwards', async () => {
  await using file = new OnAFile();
  const driver = await file.driver();
  const ids = (of: string) => [1, 2, 3].map((n) => `${of}${n}`);
  await driver.send(ids('old').map((id) => entry('plain', id)));

  await driver.admin.drain?.('plain', 'default', 10, async () => {
    await driver.admin.drain?.('plain', 'default', 10, async () => {});
    // Their rows have the numbers of those that are gone.
    await driver.send(ids('new').map((id) => entry('plain', id)));
  });

  expect(await consumeAll(await readerOf(driver, 'plain'), 10)).toEqual(ids('new'));
});
