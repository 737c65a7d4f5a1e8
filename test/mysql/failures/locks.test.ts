// Foreign transactions that hold what the driver needs: real locks, real deadlocks. What they hold waits for them, the rest goes on.
import { expect, test } from 'vitest';
import { describeServers } from '../../servers/index.js';
import { eventually, soon } from '../eventually.js';
import { Gate, type JobTopic, jobTopic, openProcess, type TestQueue } from './jobs.js';
import { RawConnection } from './raw-connection.js';

/** How long others may be held up by what somebody has locked. */
const heldUpMs = 5_000;

await describeServers(['mariadb', 'mysql'], (_, server) => {
  /** Holds what is published in its hands until the gate opens; answers what became of the acks. */
  async function holding(queue: TestQueue, topic: JobTopic, count: number, gate: Gate): Promise<Map<number, unknown>> {
    const outcomes = new Map<number, unknown>();
    let handed = 0;
    await queue.consume(
      topic,
      async (delivery) => {
        handed++;
        if (delivery.message.body.n < count) await gate.opened;
        outcomes.set(delivery.message.body.n, await delivery.ack().catch((error: unknown) => error));
      },
      { concurrency: 64 },
    );
    await queue.publishBatch(
      topic,
      Array.from({ length: count }, (_, n) => ({ body: { n } })),
    );
    await eventually('all are in hand', () => handed === count);
    return outcomes;
  }

  test.concurrent('what a deadlock has undone is done again', async () => {
    const url = await server().freshUrl();
    const [one, other] = [jobTopic(), jobTopic()];
    await using queue = await openProcess([one, other], { url });
    await using stranger = await RawConnection.open(url);
    await using raw = await RawConnection.open(url);
    await stranger.run('create table ballast (n int) engine = innodb');
    const metric = "select count from information_schema.innodb_metrics where name = 'lock_deadlocks'";
    const before = Number(await raw.value(metric));
    const [first, last] = [one.name, other.name].sort();
    const lock = (name: string | undefined) =>
      stranger.rows('select id from signalbox_topics where name = ? for update', [name]);
    // The one that has written less is undone: not the stranger.
    await stranger.begin();
    await stranger.connection.query('insert into ballast values ?', [Array.from({ length: 2_000 }, (_, n) => [n])]);
    await lock(last);

    const grown = [one, other].map(({ name }) => jobTopic({ groups: { default: {}, more: {} } }, name));
    const opened = openProcess(grown, { url });
    opened.catch(() => {});
    await eventually('it waits for the stranger, with the first topic locked', async () => {
      const waiting = `select count(*) from information_schema.processlist
        where db = database() and info like '%signalbox_topics%for update%' and id <> connection_id()`;
      return Number(await raw.value(waiting)) > 0;
    });
    await lock(first);
    await eventually('there was a deadlock', async () => Number(await raw.value(metric)) > before);
    await stranger.connection.rollback();

    await using process = await soon('it is open', opened);
    expect((await process.admin.topics()).map(({ groups }) => groups.length)).toEqual([2, 2]);
    await queue.publish(one, { n: 1 });
    expect(await raw.messages()).toBe(2);
  });

  test.concurrent('a settlement whose row is locked waits for it, longer than the server lets it, and holds up nobody else', async () => {
    const url = await server().freshUrl();
    const topic = jobTopic();
    const gate = new Gate();
    await using queue = await openProcess(topic, { url });
    await using stranger = await RawConnection.open(url);
    await using raw = await RawConnection.open(url);
    const outcomes = await holding(queue, topic, 4, gate);
    const [first] = await raw.rows('select id from signalbox_messages order by id');
    await stranger.begin();
    await stranger.rows('select id from signalbox_messages where id = ? for update', [first?.id]);
    const startedAt = performance.now();
    const locked = (): boolean => performance.now() - startedAt < 9_000;

    gate.open();
    await eventually('the others are acked', () => outcomes.size === 3, heldUpMs);
    for (let n = 100; locked(); n += 100) {
      // Of every kind: at once, delayed, one by one and many.
      await queue.publishBatch(
        topic,
        Array.from({ length: 5 }, (_, i) => ({ body: { n: n + i } })),
      );
      await queue.publishAfter(topic, { n: n + 50 }, 100);
      await eventually('others are served and acked', () => outcomes.has(n + 4) && outcomes.has(n + 50), heldUpMs);
    }
    expect(outcomes.has(0)).toBe(false);
    await stranger.connection.rollback();

    await eventually('it is acked', () => outcomes.has(0));
    expect([...outcomes.values()].filter((outcome) => outcome !== undefined)).toEqual([]);
    await eventually('nothing is left', async () => (await raw.messages()) === 0);
  }, 40_000);

  test.concurrent.each([
    ['waits', 'none'],
    ['waits', 'key'],
  ] as const)(
    'a message that %s (ordering: %s) and that somebody has locked is passed by, and comes when it is free',
    async (_state, ordering) => {
      const url = await server().freshUrl();
      const topic = jobTopic({ ordering });
      await using queue = await openProcess(topic, { url });
      await using stranger = await RawConnection.open(url);
      await queue.publish(topic, { n: 0 }, { key: 'a' });
      const [first] = await stranger.rows('select id from signalbox_messages');
      await stranger.begin();
      await stranger.rows('select id from signalbox_messages where id = ? for update', [first?.id]);
      const received: number[] = [];

      await queue.consume(topic, ({ message: { body } }) => received.push(body.n));
      for (let n = 1; n <= 3; n++) {
        await queue.publish(topic, { n }, { key: 'b' });
        await eventually('the next one arrives', () => received.includes(n), heldUpMs);
      }
      expect(received).toEqual([1, 2, 3]);
      await stranger.connection.rollback();

      await eventually('the locked one arrives', () => received.includes(0), heldUpMs);
    },
  );

  test.concurrent.each(['none', 'key'] as const)(
    'an ended lease whose row somebody has locked (ordering: %s) holds up nobody else',
    async (ordering) => {
      const url = await server().freshUrl();
      const topic = jobTopic({ ordering });
      const gate = new Gate();
      await using stranger = await RawConnection.open(url);
      await using queue = await openProcess(topic, { url, leaseMs: 500 });
      const received: number[] = [];
      await using consumer = await queue.consume(
        topic,
        async ({ message: { body } }) => {
          received.push(body.n);
          if (body.n === 0 && received.length === 1) await gate.opened;
        },
        { leaseExtension: 'manual' },
      );
      await queue.publish(topic, { n: 0 }, { key: 'a' });
      await eventually('it is in hand', () => received.length === 1);
      await stranger.begin();
      await stranger.rows('select id from signalbox_messages for update');
      await eventually('its lease has ended', async () => {
        const left = await stranger.value(
          'select cast(max(visible_after) as signed) - cast(unix_timestamp(now(3)) * 1000 as signed) from signalbox_messages',
        );
        return Number(left) < 0;
      });

      for (let n = 1; n <= 3; n++) {
        await queue.publish(topic, { n }, { key: 'b' });
        await eventually('the next one arrives', () => received.includes(n), heldUpMs);
      }
      expect(new Set(received)).toEqual(new Set([0, 1, 2, 3]));
      await stranger.connection.rollback();

      await eventually('the locked one comes again', () => received.filter((n) => n === 0).length >= 2, heldUpMs);
      gate.open();
      await consumer.close();
    },
  );

  test.concurrent('a publisher waits for no lock on what others published, nor for an open transaction that published', async () => {
    const url = await server().freshUrl();
    const topic = jobTopic({ ordering: 'key' });
    await using queue = await openProcess(topic, { url });
    await using stranger = await RawConnection.open(url);
    await using application = await RawConnection.open(url);
    await queue.publish(topic, { n: 0 }, { key: 'a' });
    await stranger.begin();
    await stranger.rows('select id from signalbox_messages for update');
    await application.begin();
    await queue.within(application.connection).publish(topic, { n: 1 }, { key: 'a' });

    const published = queue.publishBatch(
      topic,
      Array.from({ length: 50 }, (_, n) => ({ body: { n }, key: 'a' })),
    );

    const results = await soon('all are published', published, heldUpMs);
    expect(results.every(({ status }) => status === 'published')).toBe(true);
    await stranger.connection.rollback();
    await application.connection.rollback();
  });

  test.concurrent('while a long transaction keeps the server from tidying up, messages go on', async () => {
    const url = await server().freshUrl();
    const topic = jobTopic();
    await using queue = await openProcess(topic, { url });
    await using stranger = await RawConnection.open(url);
    const received = new Set<number>();
    await queue.consume(topic, ({ message: { body } }) => received.add(body.n), { concurrency: 64 });
    await stranger.run('set session transaction isolation level repeatable read');
    await stranger.run('start transaction with consistent snapshot');

    const count = 6_000;
    await queue.publishBatch(
      topic,
      Array.from({ length: count }, (_, n) => ({ body: { n } })),
    );
    await eventually('all arrive', () => received.size === count, 20_000);
    const latenciesMs: number[] = [];
    for (let n = count; n < count + 21; n++) {
      const sentAt = performance.now();
      await queue.publish(topic, { n });
      await eventually('it arrives', () => received.has(n), heldUpMs);
      latenciesMs.push(performance.now() - sentAt);
    }

    // It still sees none of them; the rows of all are kept for it.
    expect(await stranger.messages()).toBe(0);
    const median = latenciesMs.sort((one, other) => one - other)[10] ?? Number.POSITIVE_INFINITY;
    expect(median).toBeLessThan(500);
    await stranger.connection.rollback();
  }, 40_000);
});
