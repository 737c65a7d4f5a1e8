import { linkSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { isSameQueue } from '../../src/cli/same-queue.js';

const folder = mkdtempSync(join(tmpdir(), 'signalbox-same-'));
writeFileSync(join(folder, 'a.db'), '');
symlinkSync(join(folder, 'a.db'), join(folder, 'link.db'));
symlinkSync(folder, join(folder, 'folder'));
linkSync(join(folder, 'a.db'), join(folder, 'hard.db'));
afterAll(() => rmSync(folder, { recursive: true }));

const a = `sqlite:${folder}/a.db`;

test.each([
  [a, `${a}?leaseMs=30000`],
  [a, `sqlite://${folder}/./a.db`],
  [a, `sqlite:${folder}/link.db`],
  [a, `sqlite:${folder}/hard.db`],
  [a, `sqlite:${folder}/folder/a.db`],
  ['sqlite:no.db', 'sqlite:./no.db?tablePrefix=signalbox_'],
  ['mysql://root@localhost/queue', 'mariadb://app:secret@127.0.0.1:3306/queue?tablePrefix=signalbox_'],
  ['amqp://localhost', 'amqp://guest:guest@127.0.0.1:5672/%2f?prefix=signalbox'],
  ['amqp://127.0.0.1,127.0.0.2:1234/v', 'amqps://127.0.0.1/v'],
])('%s and %s are one queue', async (one, other) => {
  expect(await isSameQueue(one, other)).toBe(true);
});

test.each([
  [a, `sqlite:${folder}/b.db`],
  [a, `${a}?tablePrefix=other_`],
  ['mysql://root@127.0.0.1/queue', 'mysql://root@127.0.0.1/other'],
  ['mysql://root@127.0.0.1/queue', 'mysql://root@127.0.0.1:3307/queue'],
  ['mysql://root@127.0.0.1/queue', 'mysql://root@192.0.2.1/queue'],
  ['mysql://root@127.0.0.1/queue', 'mysql://root@127.0.0.1/queue?tablePrefix=other_'],
  ['amqp://127.0.0.1/a', 'amqp://127.0.0.1/b'],
  ['amqp://127.0.0.1/a', 'amqp://127.0.0.1:5673/a'],
  ['amqp://127.0.0.1/a', 'amqp://127.0.0.1/a?prefix=other'],
  [a, 'amqp://127.0.0.1'],
])('%s and %s are two', async (one, other) => {
  expect(await isSameQueue(one, other)).toBe(false);
});
