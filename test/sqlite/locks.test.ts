// Of this driver alone: on no other backend can a caller's transaction make everybody wait.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Kysely, SqliteDialect } from 'kysely';
import Libsql from 'libsql';
import { defineTopic, openQueue } from 'signalbox';
import { sqlite } from 'signalbox/sqlite';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { freshCounts, type Send } from '../../src/queue/driver.js';
import { compiledProgram } from '../compiled-sources.js';
import { plain } from '../topologies.js';
import { TemporaryFolder } from './temporary-folder.js';

const topic = defineTopic('jobs', { schema: z.object({ n: z.number() }) });
let folder: TemporaryFolder;
let url: string;
beforeEach(() => {
  folder = new TemporaryFolder();
  url = `sqlite:${folder.file}`;
});
afterEach(() => folder[Symbol.dispose]());
beforeAll(() => void compiledProgram('test/sqlite/programs/lock-holder.ts'), 120_000);

interface Held {
  release(): Promise<void>;
}

async function heldHere(): Promise<Held> {
  const connection = new Libsql(folder.file);
  connection.exec('begin immediate');
  return {
    release: async () => {
      connection.exec('commit');
      connection.close();
    },
  };
}

async function heldElsewhere(): Promise<Held> {
  const child = fork(compiledProgram('test/sqlite/programs/lock-holder.ts'), [folder.file]);
  await once(child, 'message');
  return {
    release: async () => {
      child.send('let go');
      await once(child, 'exit');
    },
  };
}

describe.each([
  ['this process', heldHere],
  ['another process', heldElsewhere],
])('while %s holds a transaction open', (_where, hold) => {
  test('a publish waits without holding up this process, then goes through', async () => {
    await using queue = await openQueue(url, { topics: [topic] });
    const held = await hold();
    let turns = 0;
    const ticking = setInterval(() => turns++, 10);
    let published = false;

    const publishing = queue.publish(topic, { n: 1 }).then(() => {
      published = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 400));

    expect(published).toBe(false);
    expect(turns).toBeGreaterThan(20);
    await held.release();
    await publishing;
    clearInterval(ticking);
    expect((await queue.admin.depth(topic)).ready).toBe(1);
  });

  test('what is received and settled waits as well, and reads do not', async () => {
    await using queue = await openQueue(url, { topics: [topic] });
    await queue.publish(topic, { n: 1 });
    const held = await hold();
    const handled: number[] = [];

    await queue.consume(topic, ({ message }) => void handled.push(message.body.n));
    expect((await queue.admin.depth(topic)).ready).toBe(1);
    expect(handled).toEqual([]);
    await held.release();

    await expect
      .poll(async () => [handled, await queue.admin.depth(topic)])
      .toMatchObject([[1], { ready: 0, inHand: 0 }]);
  });

  test('after lockTimeoutMs it is "unavailable", says why, and nothing was stored', async () => {
    const driver = sqlite({ path: folder.file, lockTimeoutMs: 200 });
    await driver.open({ logger: { info() {}, warn() {} }, emit() {} });
    await driver.declare({ topics: [plain] }, { mode: 'assert', change: false });
    const held = await hold();

    const sending = driver.send([send(1), send(2)]);

    await expect(sending).rejects.toMatchObject({
      name: 'Refusal',
      code: 'unavailable',
      message: "the file has been locked by somebody else's transaction for at least 200 ms",
      remedy: expect.stringContaining('end that transaction'),
    });
    await held.release();
    expect((await driver.admin.depth('jobs', 'default')).ready).toBe(0);
    expect(await driver.send([send(3)])).toEqual([{ status: 'stored', groups: 1 }]);
    await driver.close();
  });

  test('who only looks needs no lock', async () => {
    await (await openQueue(url, { topics: [topic] })).close();
    const held = await hold();

    const driver = sqlite({ path: folder.file });
    await driver.open({ logger: { info() {}, warn() {} }, emit() {} });

    expect((await driver.admin.topics()).map(({ name }) => name)).toEqual(['jobs']);
    expect((await driver.admin.depth('jobs', 'default')).ready).toBe(0);
    await driver.declare({ topics: [plain] }, { mode: 'check', change: false });
    await driver.close();
    await held.release();
  });

  test('closing does not wait for its end, and what was in hand comes again', async () => {
    const queue = await openQueue(url, { topics: [topic] });
    await queue.publish(topic, { n: 1 });
    await queue.publish(topic, { n: 2 });
    const started = new Promise<void>((resolve) => {
      void queue.consume(topic, () => {
        resolve();
        return new Promise(() => {});
      });
    });
    await started;
    // Of this one's claim it is waited for when the other closes.
    const idle = await openQueue(url, { topics: [topic] });
    const held = await hold();
    await idle.publish(topic, { n: 3 }, { signal: AbortSignal.timeout(100) }).catch(() => {});
    const closingAt = performance.now();

    await Promise.all([queue.close({ deadlineMs: 500 }), idle.close({ deadlineMs: 500 })]);

    // lockTimeoutMs is 20 000.
    expect(performance.now() - closingAt).toBeLessThan(10_000);
    await held.release();
    await using next = await openQueue(url, { topics: [topic] });
    const handled: number[] = [];
    await next.consume(topic, ({ message }) => void handled.push(message.body.n));
    await expect.poll(() => handled).toEqual(expect.arrayContaining([1, 2]));
  });

  test.each(['libsql', 'kysely'] as const)(
    "a caller's transaction (%s) waits for its turn, and commits",
    async (kind) => {
      await using queue = await openQueue(url, { topics: [topic] });
      const connection = new Libsql(folder.file);
      const db = new Kysely<unknown>({ dialect: new SqliteDialect({ database: connection as never }) });
      const held = await hold();
      let published = false;

      const publishing = (async () => {
        if (kind === 'kysely') {
          await db.transaction().execute((trx) => queue.within(trx).publish(topic, { n: 1 }));
        } else {
          connection.exec('begin');
          await queue.within(connection).publish(topic, { n: 1 });
          connection.exec('commit');
        }
        published = true;
      })();
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(published).toBe(false);
      await held.release();
      await publishing;

      expect((await queue.admin.depth(topic)).ready).toBe(1);
      await db.destroy();
    },
  );
});

test.each(['libsql', 'kysely'] as const)(
  "a caller's transaction (%s) that has written before waits for nobody, and one that lost its turn is told to begin again",
  async (kind) => {
    await using queue = await openQueue(url, { topics: [topic] });
    const connection = new Libsql(folder.file);
    connection.exec('create table orders (id integer)');
    const db = new Kysely<{ orders: { id: number } }>({
      dialect: new SqliteDialect({ database: connection as never }),
    });
    const run = async (first: string, meanwhile: () => Promise<unknown>): Promise<void> => {
      if (kind === 'libsql') {
        connection.exec('begin');
        connection.prepare(first).all();
        await meanwhile();
        await queue.within(connection).publish(topic, { n: 1 });
        connection.exec('commit');
        return;
      }
      await db.transaction().execute(async (trx) => {
        const { CompiledQuery } = await import('kysely');
        await trx.executeQuery(CompiledQuery.raw(first));
        await meanwhile();
        await queue.within(trx).publish(topic, { n: 1 });
      });
    };

    await run('insert into orders values (1)', async () => {});
    expect((await queue.admin.depth(topic)).ready).toBe(1);
    const late = run('select * from orders', () => queue.publish(topic, { n: 2 }));

    await expect(late).rejects.toMatchObject({ code: 'conflict', retryable: true });
    await expect(late).rejects.toThrow(
      /somebody else writes to the file, or wrote to it since this transaction began to read; roll it back/,
    );
    if (connection.inTransaction) connection.exec('rollback');
    expect((await queue.admin.depth(topic)).ready).toBe(2);
    await db.destroy();
  },
);

test.each(['holds the lock', 'has written'] as const)(
  "a caller's transaction (kysely) that has read while somebody else %s goes through when it is run again, on the same connection",
  async (other) => {
    await using queue = await openQueue(url, { topics: [topic] });
    const db = new Kysely<{ orders: { id: number } }>({
      dialect: new SqliteDialect({ database: new Libsql(folder.file, { timeout: 5_000 }) as never }),
    });
    await db.schema.createTable('orders').addColumn('id', 'integer').execute();
    const run = (meanwhile: () => Promise<unknown>): Promise<unknown> =>
      db.transaction().execute(async (trx) => {
        await trx.selectFrom('orders').selectAll().execute();
        await meanwhile();
        return queue.within(trx).publish(topic, { n: 1 });
      });
    let held: Held | null = null;
    const conflicting = run(async () => {
      held = await heldElsewhere();
      if (other === 'has written') await held.release();
    });
    await expect(conflicting).rejects.toMatchObject({ code: 'conflict', retryable: true });
    if (other === 'holds the lock') await (held as Held | null)?.release();

    await run(async () => {});
    await db.transaction().execute((trx) => trx.insertInto('orders').values({ id: 1 }).execute());

    expect((await queue.admin.depth(topic)).ready).toBe(1);
    await db.destroy();
  },
);

test('a caller\'s transaction of Kysely\'s that has ended is "invalid"', async () => {
  await using queue = await openQueue(url, { topics: [topic] });
  const db = new Kysely<unknown>({ dialect: new SqliteDialect({ database: new Libsql(folder.file) as never }) });

  const ended = await db.transaction().execute(async (trx) => trx);

  await expect(queue.within(ended).publish(topic, { n: 1 })).rejects.toMatchObject({ code: 'invalid' });
  await db.destroy();
});

function send(n: number): Send {
  return {
    target: { kind: 'topic' },
    message: {
      ...{ id: `m-${n}`, topic: 'jobs', key: null, routingKey: null, headers: {}, publishedAt: 0, format: 1 },
      body: Buffer.from(JSON.stringify({ n })),
    },
    ...{ lane: 0, counts: freshCounts, delayMs: 0, nonce: `${n}`, unmatched: 'reject', dedup: null },
  };
}
