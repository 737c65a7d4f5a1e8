// The application's own transactions and pools: what only this backend has.
import { Kysely, MysqlDialect } from 'kysely';
import { createPool } from 'mysql2';
import { createConnection, createPool as createPromisePool } from 'mysql2/promise';
import { expect, test } from 'vitest';
import { describeServers } from '../servers/index.js';
import { eventually, soon } from './eventually.js';
import { jobTopic, openProcess } from './failures/jobs.js';
import { RawConnection } from './failures/raw-connection.js';

await describeServers(['mariadb', 'mysql'], (_, server) => {
  test.concurrent.each(['mysql2', 'mysql2/promise', 'kysely'] as const)(
    'within a transaction of %s: nothing is seen before the commit, local subscribers soon after it, and nothing after a rollback',
    async (kind) => {
      const url = await server().freshUrl();
      const topic = jobTopic({ ordering: 'key' });
      await using queue = await openProcess(topic, { url });
      const arrivals = new Map<number, number>();
      await queue.consume(topic, ({ message: { body } }) => arrivals.set(body.n, performance.now()));
      const pool = createPool({ uri: url, connectionLimit: 2 });
      const db = new Kysely<unknown>({ dialect: new MysqlDialect({ pool }) });
      /** Publishes n, ends as told; answers when the commit was answered. */
      const publish = async (n: number, end: 'commit' | 'rollback'): Promise<number> => {
        if (kind === 'kysely') {
          const transaction = await db.startTransaction().execute();
          await queue.within(transaction).publish(topic, { n }, { key: 'k' });
          expect(arrivals.has(n)).toBe(false);
          await transaction[end]().execute();
          return performance.now();
        }
        const connection = await pool.promise().getConnection();
        await connection.beginTransaction();
        await queue.within(kind === 'mysql2' ? connection.connection : connection).publish(topic, { n }, { key: 'k' });
        expect(arrivals.has(n)).toBe(false);
        await connection[end]();
        connection.release();
        return performance.now();
      };

      await publish(1, 'rollback');
      const latenciesMs: number[] = [];
      for (let n = 2; n < 12; n++) {
        const committedAt = await publish(n, 'commit');
        await eventually('it arrives', () => arrivals.has(n), 3_000);
        latenciesMs.push((arrivals.get(n) ?? 0) - committedAt);
      }

      expect(arrivals.has(1)).toBe(false);
      // By a look every 5 ms after such a publish instead of every 50.
      const median = latenciesMs.sort((one, other) => one - other)[5] ?? Number.POSITIVE_INFINITY;
      expect(median).toBeLessThan(200);
      await db.destroy();
    },
  );

  test.concurrent('within a transaction in another character set, texts are stored as they are', async () => {
    const url = await server().freshUrl();
    const topic = jobTopic({ ordering: 'key', groups: { default: { patterns: ['a.b:c'] } } });
    await using queue = await openProcess(topic, { url });
    const connection = await createConnection({ uri: url });
    await connection.query("set character_set_connection = 'utf16'");
    await connection.beginTransaction();
    const message = { id: 'id:abc/x', key: 'plain', routingKey: 'a.b:c', headers: { h: 'v' } };

    await queue.within(connection).publish(topic, { n: 1, text: "it's \\ é" }, message);
    await connection.commit();

    const received: unknown[] = [];
    await queue.consume(topic, ({ message: { id, key, routingKey, headers, body } }) =>
      received.push({ id, key, routingKey, headers, body }),
    );
    await eventually('it arrives', () => received.length > 0, 3_000);
    expect(received).toEqual([{ ...message, body: { n: 1, text: "it's \\ é" } }]);
    await connection.end();
  });

  test.concurrent('what nobody accepted a moment ago is not discarded when a group has been added since', async () => {
    const url = await server().freshUrl();
    const topic = jobTopic({ groups: { one: { patterns: ['a'] } }, unmatched: 'discard' });
    await using publisher = await openProcess(topic, { url });
    await using other = await openProcess(topic, { url });
    expect(await publisher.publish(topic, { n: 1 }, { routingKey: 'b' })).toMatchObject({ groups: 0 });

    await other.admin.addGroup(topic, 'late', { patterns: ['b'] });

    expect(await publisher.publish(topic, { n: 2 }, { routingKey: 'b' })).toMatchObject({ groups: 1 });
    const [first, second] = await publisher.publishBatch(topic, [
      { body: { n: 3 }, routingKey: 'b' },
      { body: { n: 4 }, routingKey: 'nobody' },
    ]);
    expect([first, second]).toMatchObject([{ groups: 1 }, { groups: 0 }]);
  });

  test.concurrent('a dead letter that is kept for longer than any number is a dead letter all the same', async () => {
    const url = await server().freshUrl();
    const topic = jobTopic({ maxAttempts: 1, deadLetters: { expireAfterMs: 1e20 } });
    await using queue = await openProcess(topic, { url });
    await queue.consume(topic, () => {
      throw new Error('no');
    });

    await queue.publish(topic, { n: 1 });

    await eventually(
      'it is dead',
      async () => (await queue.admin.deadLetters(topic).list()).letters.length === 1,
      5_000,
    );
  });

  test.concurrent.each([{ rowsAsArray: true }, { nestTables: true }, { nestTables: '_' }] as const)(
    'within a transaction on a connection whose rows have another shape (%o) it is published as on any other',
    async (shape) => {
      const url = await server().freshUrl();
      const topic = jobTopic({ groups: { one: {}, other: {} } });
      await using queue = await openProcess(topic, { url });
      await using raw = await RawConnection.open(url);
      const connection = await createConnection({ uri: url, ...shape });
      await connection.beginTransaction();

      const published = await queue.within(connection).publish(topic, { n: 1 }, { idempotencyKey: 'once' });
      await connection.commit();

      expect(published).toMatchObject({ groups: 2, duplicate: false });
      expect(await raw.messages()).toBe(2);
      await connection.end();
    },
  );

  test('a database that does not exist is said to be what is missing', async () => {
    const url = new URL(server().url);
    url.pathname = '/no_such_database';

    await expect(openProcess(jobTopic(), { url: url.href })).rejects.toMatchObject({
      code: 'not-found',
      message: expect.stringMatching(/there is no such database; create it, or correct its name/),
    });
  });

  test.concurrent.each([
    ['a connection without a transaction', async (url: string) => createConnection({ uri: url })],
    ['something else', async () => ({ end: async () => {} })],
  ])('within %s nothing is published', async (_what, open) => {
    const url = await server().freshUrl();
    const topic = jobTopic();
    await using queue = await openProcess(topic, { url });
    await using raw = await RawConnection.open(url);
    const handle = await open(url);

    await expect(queue.within(handle).publish(topic, { n: 1 })).rejects.toMatchObject({ code: 'invalid' });

    expect(await raw.messages()).toBe(0);
    await handle.end();
  });

  test.concurrent('with every connection of its own pool taken by handlers, in transactions, messages are settled and published', async () => {
    const url = await server().freshUrl();
    const topic = jobTopic();
    const pool = createPromisePool({ uri: url, connectionLimit: 2 });
    await using queue = await openProcess(topic, { pool });
    await using raw = await RawConnection.open(url);
    const outcomes: string[] = [];
    let busy = 0;
    await queue.consume(topic, async (delivery) => {
      const connection = await pool.getConnection();
      busy++;
      await connection.beginTransaction();
      if (delivery.message.body.n < 10) {
        await queue.within(connection).publish(topic, { n: 10 + delivery.message.body.n });
        await eventually('both connections are taken', () => busy >= 2);
      }
      await delivery.ack();
      outcomes.push(`acked ${delivery.message.body.n}`);
      await connection.commit();
      connection.release();
    });

    await queue.publishBatch(topic, [{ body: { n: 0 } }, { body: { n: 1 } }]);

    await eventually('all is acked', () => outcomes.length === 4, 8_000);
    await eventually('nothing is left', async () => (await raw.messages()) === 0);
    await pool.end();
  });

  test.concurrent("on an application's Kysely instance: connections are lent and come back as they were", async () => {
    const url = await server().freshUrl();
    const topic = jobTopic();
    const pool = createPool({ uri: url, connectionLimit: 9 });
    const db = new Kysely<unknown>({ dialect: new MysqlDialect({ pool }) });
    await pool.promise().query('select 1');
    const queue = await openProcess(topic, { kysely: db, connections: 2 });
    const received: number[] = [];
    await queue.consume(topic, ({ message: { body } }) => received.push(body.n));
    await Promise.all(Array.from({ length: 20 }, (_, n) => queue.publish(topic, { n })));
    await db.transaction().execute((transaction) => queue.within(transaction).publish(topic, { n: 100 }));
    await eventually('all arrive', () => received.length === 21);

    await soon('it is closed', queue.close(), 15_000);

    const modes = await Promise.all(
      Array.from({ length: 9 }, async () => {
        const connection = await pool.promise().getConnection();
        const [rows] = await connection.query(
          "show session variables where variable_name in ('autocommit', 'time_zone')",
        );
        connection.release();
        return (rows as { Value: string }[]).map(({ Value }) => Value);
      }),
    );
    for (const mode of modes) expect(mode).toEqual(['ON', 'SYSTEM']);
    await db.destroy();
  });

  test.concurrent('a Kysely instance with too few connections is an error that says how many it takes', async () => {
    const url = await server().freshUrl();
    const pool = createPool({ uri: url, connectionLimit: 1 });
    const db = new Kysely<unknown>({ dialect: new MysqlDialect({ pool }) });

    const opened = openProcess(jobTopic(), { kysely: db, connections: 2 });

    await expect(soon('it gives up', opened, 19_000)).rejects.toMatchObject({
      code: 'resource-exhausted',
      message: expect.stringMatching(/lent no connection within 10000 ms; give its pool more connections/),
    });
    await db.destroy();
  });
});
