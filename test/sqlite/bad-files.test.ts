// Of this driver alone: what can be wrong with a file, a folder and a disk.
import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Libsql from 'libsql';
import { defineTopic, openQueue, type Queue } from 'signalbox';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { SqliteFile } from '../../src/sql/sqlite-file.js';
import { compiledProgram } from '../compiled-sources.js';
import { integrityOf } from './integrity.js';
import { TemporaryFolder } from './temporary-folder.js';

const topic = defineTopic('jobs', { schema: z.object({ n: z.number(), note: z.string() }) });
const note = 'n'.repeat(20_000);
let folder: TemporaryFolder;
beforeEach(() => {
  folder = new TemporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());
beforeAll(() => void compiledProgram('test/sqlite/programs/opener.ts'), 120_000);

const root = process.getuid?.() === 0;
/** Nobody's numbers: who root becomes, whom no rights stop. */
const nobody = 65_534;

describe('opening', () => {
  test('a file that is no database is "invalid", and it is left as it was', async () => {
    writeFileSync(folder.file, 'dear diary, '.repeat(1_000));

    await expect(openQueue(`sqlite:${folder.file}`, { topics: [topic] })).rejects.toMatchObject({
      code: 'invalid',
      retryable: false,
      backend: 'sqlite',
      message: expect.stringContaining(`the file is no SQLite database (${folder.file}); give another path`),
    });
  });

  test('a device in the place of the file is "invalid", what cannot be made "unavailable", each by its name', async () => {
    const device = openQueue('sqlite:/dev/null', { topics: [topic] });
    const unmakeable = openQueue('sqlite:/proc/queue.db', { topics: [topic] });

    await expect(device).rejects.toMatchObject({ code: 'invalid', outcomeUnknown: false });
    await expect(device).rejects.toThrow(/\/dev\/null is no regular file; give the path of one/);
    await expect(unmakeable).rejects.toMatchObject({ code: 'unavailable', outcomeUnknown: false });
    await expect(unmakeable).rejects.toThrow(/\/proc\/queue\.db cannot be opened/);
  });

  test('a damaged file is named, and what to do', async () => {
    const queue = await openQueue(`sqlite:${folder.file}`, { topics: [topic] });
    for (let n = 0; n < 20; n++) await queue.publish(topic, { n, note });
    await queue.close();
    const database = new Libsql(folder.file);
    database.exec('pragma wal_checkpoint(truncate)');
    database.close();
    const bytes = readFileSync(folder.file);
    writeFileSync(folder.file, Buffer.concat([bytes.subarray(0, 4_096), Buffer.alloc(bytes.length - 4_096, 0x5a)]));

    await expect(openQueue(`sqlite:${folder.file}`, { topics: [topic] })).rejects.toThrow(
      `the file is damaged (${folder.file}); restore it from a copy`,
    );
  });

  test('a folder in the place of the file is "invalid", a file in the place of a folder "unavailable"', async () => {
    writeFileSync(join(folder.path, 'plain'), '');

    const folderAsFile = openQueue(`sqlite:${folder.path}`, { topics: [topic] });
    const fileAsFolder = openQueue(`sqlite:${folder.path}/plain/queue.db`, { topics: [topic] });

    await expect(folderAsFile).rejects.toMatchObject({ code: 'invalid' });
    await expect(folderAsFile).rejects.toThrow(/is a folder; give the path of a file in it/);
    await expect(fileAsFolder).rejects.toMatchObject({ code: 'unavailable' });
    await expect(fileAsFolder).rejects.toThrow(/cannot be opened for reading and writing/);
  });

  test('a missing folder is made', async () => {
    const queue = await openQueue(`sqlite:${folder.path}/a/b/queue.db`, { topics: [topic] });

    await queue.publish(topic, { n: 1, note: '' });

    await queue.close();
  });

  test.each([
    ['a folder without the right to write', 0o555, 0o644],
    ['a read-only file', 0o777, 0o444],
  ])('%s is "denied", and says what to do', async (_what, folderMode, fileMode) => {
    await (await openQueue(`sqlite:${folder.file}`, { topics: [topic] })).close();
    chmodSync(folder.file, fileMode);
    if (root) chownSync(folder.file, nobody, nobody);
    chmodSync(folder.path, folderMode);

    const answer = await asAnotherUser(`sqlite:${folder.file}`);

    expect(answer).toMatchObject({ code: 'denied', retryable: false });
    expect(answer.message).toMatch(
      /cannot be opened for reading and writing \(EACCES\); give a path in a folder where/,
    );
    chmodSync(folder.path, 0o700);
  });
});

test('a file that is removed while it is open takes no more messages, at once and for good: they would reach nobody', async () => {
  const warnings: string[] = [];
  const logger = { info() {}, warn: (_: unknown, message: string) => void warnings.push(message) };
  await using queue = await openQueue(`sqlite:${folder.file}`, { topics: [topic], logger });
  await queue.publish(topic, { n: 1, note: '' });
  const disconnected = new Promise((resolve) => {
    queue.events.on('disconnected', resolve);
  });

  for (const end of ['', '-wal', '-shm']) rmSync(`${folder.file}${end}`, { force: true });
  const publishingAt = performance.now();
  const refused = queue.publish(topic, { n: 2, note: '' });

  await expect(refused).rejects.toMatchObject({ code: 'unavailable', retryable: false, outcomeUnknown: false });
  await expect(refused).rejects.toThrow(/queue\.db was removed or replaced while it was open; never move the file/);
  // What may succeed later is tried again for 30 s.
  expect(performance.now() - publishingAt).toBeLessThan(10_000);
  await disconnected;
  expect(queue.health()).toMatchObject({ status: 'down', connected: false });
  expect(warnings).toContainEqual(expect.stringMatching(/was removed or replaced while it was open; never move/));
  await using next = await openQueue(`sqlite:${folder.file}`, { topics: [topic] });
  await next.publish(topic, { n: 3, note: '' });
  expect((await next.admin.depth(topic)).ready).toBe(1);
});

test.concurrent('a file that may not grow any more refuses with "resource-exhausted", and loses nothing', async () => {
  using folder = new TemporaryFolder();
  await using queue = await openQueue(`sqlite:${folder.file}`, { topics: [topic] });
  const file = await SqliteFile.open(folder.file, { synchronous: 'full', patienceMs: 1_000 });
  file.connection.exec('pragma max_page_count = 300');

  await fillsUp(queue, () => file.connection.exec('pragma max_page_count = 100000'));

  file.leave();
}, 120_000);

const mounted = root && spawnSync('mount', ['--version']).status === 0;
(mounted ? test.concurrent : test.skip)(
  `a full disk refuses with "resource-exhausted", and loses nothing${mounted ? '' : ': needs root, to mount a small one'}`,
  async () => {
    using folder = new TemporaryFolder();
    const disk = join(folder.path, 'disk');
    mkdirSync(disk);
    const mount = (...options: readonly string[]) => spawnSync('mount', [...options, disk], { encoding: 'utf8' });
    expect(mount('-t', 'tmpfs', '-o', 'size=3m', 'tmpfs')).toMatchObject({ status: 0 });
    try {
      await using queue = await openQueue(`sqlite:${disk}/queue.db`, { topics: [topic] });

      await fillsUp(queue, () => mount('-o', 'remount,size=64m'));

      expect(integrityOf(`${disk}/queue.db`)).toBe('ok');
    } finally {
      spawnSync('umount', ['-l', disk]);
    }
  },
  120_000,
);

/** Publishes until no more fits, makes room, and finds what was published, and nothing else. */
async function fillsUp(queue: Queue, makeRoom: () => unknown): Promise<void> {
  const blocked: unknown[] = [];
  queue.events.on('blocked', ({ reason }) => blocked.push([reason, queue.health()]));
  let unblocked = 0;
  queue.events.on('unblocked', () => unblocked++);
  const published: number[] = [];
  let refusal: unknown = null;
  for (let n = 0; refusal === null && n < 5_000; n++) {
    await queue.publish(topic, { n, note }).then(
      () => published.push(n),
      (error: unknown) => {
        refusal = error;
      },
    );
  }
  // What may succeed later is tried again for 30 s.
  expect(refusal).toMatchObject({ code: 'resource-exhausted', retryable: true, outcomeUnknown: false });
  expect(causesOf(refusal)).toContain('SQLITE_FULL');
  expect((await queue.admin.depth(topic)).ready).toBe(published.length);

  expect(blocked[0]).toMatchObject([
    expect.stringContaining('no room'),
    { status: 'degraded', blocked: expect.stringContaining('no room') },
  ]);

  makeRoom();
  await queue.publish(topic, { n: -1, note });

  const handled: number[] = [];
  await queue.consume(topic, ({ message }) => void handled.push(message.body.n));
  await expect.poll(() => handled.length, { timeout: 15_000 }).toBe(published.length + 1);
  expect(handled.toSorted((a, b) => a - b)).toEqual([-1, ...published]);
  await expect.poll(() => queue.health(), { timeout: 15_000 }).toMatchObject({ status: 'ok', blocked: null });
  expect(unblocked).toBe(blocked.length);
}

function causesOf(error: unknown): string {
  const { code, message, cause } = (error ?? {}) as Error & { code?: string };
  return `${code} ${message}${cause === undefined ? '' : ` < ${causesOf(cause)}`}`;
}

async function asAnotherUser(url: string): Promise<{ code: string; message: string; retryable?: boolean }> {
  const program = compiledProgram('test/sqlite/programs/opener.ts');
  const child = fork(program, [url], root ? { uid: nobody, gid: nobody } : {});
  const [answer] = (await once(child, 'message')) as [{ code: string; message: string }];
  return answer;
}

test('a database of an application that has tables of its own is shared with it', async () => {
  const database = new Libsql(folder.file);
  database.exec('create table orders (id integer); insert into orders values (7)');

  await using queue = await openQueue(`sqlite:${folder.file}`, { topics: [topic] });
  await queue.publish(topic, { n: 1, note: '' });

  expect(database.prepare('select id from orders').all()).toEqual([{ id: 7 }]);
  database.close();
});
