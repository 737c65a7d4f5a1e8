// Of this driver alone: whoever holds a message is known by a row, and of the same process it is not asked whether it lives.
import { once } from 'node:events';
import { cpSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import Libsql from 'libsql';
import { openQueue } from 'signalbox';
import { sqliteBuildStore } from 'signalbox/orchestrator/sqlite';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type * as Sqlite from '../../src/queue/sqlite/index.js';
import { compiledProgram } from '../compiled-sources.js';
import { entry, OnAFile, readerOf, take } from './on-a-file.js';

let program: string;
beforeAll(() => {
  program = compiledProgram('test/sqlite/programs/thread.ts');
}, 120_000);
let file: OnAFile;
beforeEach(() => {
  file = new OnAFile();
});
afterEach(() => file[Symbol.asyncDispose]());

/** A thread that has one message in hand. */
async function threadWithAMessage(): Promise<Worker> {
  const thread = new Worker(program, { workerData: file.path });
  await once(thread, 'message');
  return thread;
}

/** What somebody finds who has looked at all that hold messages, as one does who opens the file. */
async function found(): Promise<unknown[]> {
  const reader = await readerOf(await file.driver(), 'plain');
  return (await take(reader, 10)).map(({ message }) => message.id);
}

test('what another thread has in hand stays in its hand', async () => {
  const driver = await file.driver();
  await driver.send([entry('plain', 'm')]);
  const thread = await threadWithAMessage();

  expect(await found()).toEqual([]);

  await thread.terminate();
});

test('what a second copy of the library has in hand in this process stays there, until that is closed', async () => {
  const driver = await file.driver();
  await driver.send([entry('plain', 'm')]);
  const copy = new URL('../../../src/queue/sqlite/index.js', pathToFileURL(program));
  const { sqlite } = (await import(/* @vite-ignore */ copy.href)) as typeof Sqlite;
  const other = sqlite({ path: file.path });
  await other.open({ logger: { info() {}, warn() {} }, emit() {} });
  const reader = await other.subscribe({
    ...{ topic: 'plain', group: 'default', prefetch: 1, consumer: 'copy', onLost: () => {} },
  });
  expect(await reader.receive(1, 60_000, new AbortController().signal)).toHaveLength(1);

  expect(await found()).toEqual([]);

  await other.close();
  expect(await found()).toEqual(['m']);
});

test('a file that another copy of libsql has open in this process is refused, until that is closed', async () => {
  const modules = join(dirname(file.path), 'node_modules');
  for (const name of ['libsql', '@libsql', '@neon-rs', 'detect-libc'])
    cpSync(join('node_modules', name), join(modules, name), { recursive: true });
  const Copy = createRequire(join(modules, 'none.js'))('libsql') as typeof Libsql;
  const other = new Copy(file.path);
  other.exec('create table theirs (id integer)');

  const refused = openQueue(`sqlite:${file.path}`, { topics: [] });
  await expect(refused).rejects.toMatchObject({
    code: 'unsupported',
    message: expect.stringMatching(/is open in this process already, .*"npm dedupe"/),
  });
  await expect(sqliteBuildStore({ path: file.path })).rejects.toMatchObject({ code: 'unsupported' });

  other.close();
  const queue = await openQueue(`sqlite:${file.path}`, { topics: [] });
  const store = await sqliteBuildStore({ path: file.path });
  await Promise.all([queue.close(), store.close()]);
});

test('a pause does not wait for a thread that ended without a word and was not seen for long', async () => {
  const driver = await file.driver();
  await driver.send([entry('plain', 'm')]);
  const thread = await threadWithAMessage();
  await thread.terminate();
  const database = new Libsql(file.path, { timeout: 5_000 });
  database.exec('update signalbox_holders set seen_at = seen_at - 60000');
  database.close();

  await driver.admin.pause('plain', 'default');

  expect(await driver.admin.depth('plain', 'default')).toMatchObject({ paused: true, inHand: 1 });
});
