// A server with little room, in an odd time zone, that takes writes only at times: settings of the whole server, so one of this file alone.
import { expect, test } from 'vitest';
import { describeOwnServers } from '../../servers/index.js';
import { eventually, soon } from '../eventually.js';
import { jobTopic, openProcess } from './jobs.js';
import { RawConnection } from './raw-connection.js';

const settings = {
  'max-connections': '30',
  'max-allowed-packet': '1048576',
  'default-time-zone': '-11:00',
  'sql-mode': 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES',
  'transaction-isolation': 'SERIALIZABLE',
};

await describeOwnServers(['mariadb', 'mysql'], { settings }, (_, server) => {
  /** A user with no rights beyond this database: neither the reserved connection nor read-only servers make an exception. */
  async function ordinaryUrl(): Promise<string> {
    const url = new URL(await server().freshUrl());
    await using root = await RawConnection.open(url.href);
    await root.run("create user if not exists 'ordinary'@'%' identified by 'secret'");
    await root.run(`grant all on ${url.pathname.slice(1)}.* to 'ordinary'@'%'`);
    url.username = 'ordinary';
    url.password = 'secret';
    return url.href;
  }

  test('with odd modes, time zones and isolation of the server and of the caller, delays are right', async () => {
    const url = await ordinaryUrl();
    const topic = jobTopic();
    await using queue = await openProcess(topic, { url });
    await using application = await RawConnection.open(url);
    await application.run("set session time_zone = '+13:00'");
    await application.connection.beginTransaction();
    const arrivals = new Map<number, number>();
    await queue.consume(topic, ({ message: { body } }) => arrivals.set(body.n, performance.now()));

    const sentAt = performance.now();
    await queue.publishAfter(topic, { n: 1, text: `"it's"\\` }, 400);
    await queue.within(application.connection).publishAfter(topic, { n: 2, text: `"it's"\\` }, 400);
    await application.connection.commit();

    await eventually('both arrive', () => arrivals.size === 2, 5_000);
    for (const at of arrivals.values()) expect(at - sentAt).toBeGreaterThanOrEqual(400);
  });

  test('a body that is too large fails alone and on its connection nothing changes; the largest comes through, for all groups and as a dead letter', async () => {
    const url = await ordinaryUrl();
    const topic = jobTopic({
      ...{ maxBodyBytes: 16_000_000, maxAttempts: 1 },
      groups: { one: {}, other: {}, third: {} },
    });
    await using queue = await openProcess(topic, { url });
    await using raw = await RawConnection.open(url);
    await queue.publish(topic, { n: 0 });
    const connections = await raw.others();
    const { bodyBytes } = queue.capabilities.limits;
    const largest = 'x'.repeat(bodyBytes - '{"n":2,"text":""}'.length);

    const results = await queue.publishBatch(topic, [
      { body: { n: 1 } },
      { body: { n: 2, text: `${largest}x` } },
      { body: { n: 2, text: largest }, headers: { h: 'h'.repeat(60_000) } },
      { body: { n: 3, text: largest } },
      { body: { n: 4 } },
    ]);

    expect(results.map((result) => (result.status === 'failed' ? result.error.code : result.status))).toEqual([
      ...['published', 'payload-too-large', 'published', 'published', 'published'],
    ]);
    expect(await raw.messages()).toBe(15);
    const received = new Map<number, number>();
    await queue.consume(
      topic,
      ({ message: { body } }) => {
        received.set(body.n, body.text?.length ?? 0);
        throw new Error('e'.repeat(100_000));
      },
      { group: 'one' },
    );
    const letters = queue.admin.deadLetters(topic, 'one');
    await eventually('all are dead letters', async () => (await letters.count()) === 5);
    expect(received.get(2)).toBe(largest.length);
    expect(await letters.redrive('all')).toBe(5);
    expect(await raw.others()).toEqual(expect.arrayContaining([...connections]));
  });

  test('while the server has no connection to give, calls wait for one, and go on', async () => {
    const url = await ordinaryUrl();
    const topic = jobTopic();
    await using root = await RawConnection.open(server().url);
    await using queue = await openProcess(topic, { url });
    const received: number[] = [];
    await queue.consume(topic, ({ message: { body } }) => received.push(body.n));
    await queue.publish(topic, { n: 1 });
    await eventually('it arrives', () => received.length === 1);
    const hogs: RawConnection[] = [];
    const fill = async (): Promise<unknown> => {
      for (;;) {
        try {
          hogs.push(await RawConnection.open(url));
        } catch (error) {
          return error;
        }
      }
    };
    await fill();
    const ours = await root.rows(
      "select id from information_schema.processlist where user = 'ordinary' and db is not null order by id",
    );
    const hogIds = new Set(
      await Promise.all(hogs.map((hog) => hog.value('select connection_id()'))).then((ids) => ids.map(Number)),
    );
    for (const row of ours) {
      const id = Number(Object.values(row)[0]);
      if (!hogIds.has(id)) await root.run(`kill ${id}`).catch(() => {});
    }
    expect(await fill()).toMatchObject({ errno: 1040 });

    const published = queue.publish(topic, { n: 2 });
    published.catch(() => {});
    await expect(openProcess(topic, { url })).rejects.toMatchObject({ code: 'resource-exhausted', retryable: true });
    for (const hog of hogs) await hog[Symbol.asyncDispose]();

    await soon('it is published', published, 15_000);
    await eventually('it arrives', () => received.includes(2), 15_000);
  }, 60_000);

  test('while the server takes no writes, calls wait, and go on when it does', async () => {
    const url = await ordinaryUrl();
    const topic = jobTopic();
    await using root = await RawConnection.open(server().url);
    await using queue = await openProcess(topic, { url });
    const received: number[] = [];
    const settled: unknown[] = [];
    queue.events.on('settle-failed', (event) => settled.push(event));
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await queue.consume(topic, async ({ message: { body } }) => {
      received.push(body.n);
      await held;
    });
    await queue.publish(topic, { n: 1 });
    await eventually('it is in hand', () => received.length === 1);

    await root.run('set global read_only = 1');
    try {
      await using stranger = await RawConnection.open(url);
      await expect(stranger.run('create table t (n int)')).rejects.toMatchObject({ errno: 1290 });
      release();
      const published = queue.publish(topic, { n: 2 });
      published.catch(() => {});
      await expect(soon('nothing is answered', published, 700)).rejects.toThrow('did not happen');
      await root.run('set global read_only = 0');

      await soon('it is published', published, 15_000);
    } finally {
      await root.run('set global read_only = 0');
    }
    await eventually('it arrives', () => received.includes(2), 15_000);
    await using raw = await RawConnection.open(url);
    await eventually('both are acked', async () => (await raw.messages()) === 0, 15_000);
    expect(settled).toEqual([]);
    expect(received).toEqual([1, 2]);
  }, 60_000);
});
