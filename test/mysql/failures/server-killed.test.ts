// What only a database that is really killed can show: what was committed is there afterwards, what was not is gone as a whole.
import { expect, test } from 'vitest';
import { describeOwnServers } from '../../servers/index.js';
import { eventually } from '../eventually.js';
import { jobTopic, openProcess } from './jobs.js';
import { RawConnection } from './raw-connection.js';

await describeOwnServers(['mariadb', 'mysql'], {}, (_, server) => {
  test('nothing that was confirmed is lost when the server is killed twice under load, and everybody goes on without help', async () => {
    const url = await server().freshUrl();
    const topic = jobTopic();
    await using publisher = await openProcess(topic, { url });
    await using reader = await openProcess(topic, { url, leaseMs: 5_000 });
    const heard = { disconnected: 0, connected: 0 };
    for (const event of ['disconnected', 'connected'] as const) reader.events.on(event, () => heard[event]++);
    const confirmed: number[] = [];
    const failures: unknown[] = [];
    const received = new Set<number>();
    await reader.consume(topic, async ({ message: { body } }) => {
      received.add(body.n);
    });
    let running = true;
    let n = 0;
    const loops = Array.from({ length: 8 }, async () => {
      while (running) {
        const mine = n++;
        await publisher.publish(topic, { n: mine }).then(
          () => confirmed.push(mine),
          (error: unknown) => failures.push(error),
        );
      }
    });

    for (let kill = 1; kill <= 2; kill++) {
      const enough = confirmed.length + 300;
      await eventually('300 more are confirmed', () => confirmed.length >= enough, 20_000);
      // Publishers are back within milliseconds; killed before the reader is, it would notice one long absence.
      await eventually('the reader is connected', () => heard.connected === kill - 1, 20_000);
      await server().control?.restart();
    }
    const enough = confirmed.length + 300;
    await eventually('publishing goes on', () => confirmed.length >= enough, 20_000);
    running = false;
    await Promise.all(loops);

    await eventually('all that was confirmed arrives', () => confirmed.every((one) => received.has(one)), 20_000);
    expect(failures).toEqual([]);
    expect(confirmed.length).toBe(n);
    await eventually('the reader is connected', () => heard.connected === 2, 20_000);
    expect(heard.disconnected).toBe(2);
    expect(reader.health()).toMatchObject({ status: 'ok', connected: true });
    await eventually('nothing is left', async () => {
      const { ready, inHand } = await publisher.admin.depth(topic, 'default');
      return ready === 0 && inHand === 0;
    });
  }, 90_000);

  test('an ack and its outbox are one: killed in the midst of them, the server has done both or neither', async () => {
    const url = await server().freshUrl();
    const [topic, results] = [jobTopic(), jobTopic()];
    const count = 3_000;
    await using queue = await openProcess([topic, results], { url, leaseMs: 5_000 });
    await queue.publishBatch(
      topic,
      Array.from({ length: count }, (_, n) => ({ body: { n } })),
    );

    await queue.consume(topic, async (delivery) => delivery.outbox.publish(results, { n: delivery.message.body.n }), {
      concurrency: 64,
    });
    for (const left of [(2 / 3) * count, count / 3]) {
      await eventually('a third is done', async () => {
        const { ready } = await queue.admin.depth(topic, 'default');
        return ready !== null && ready <= left;
      });
      await server().control?.restart();
    }

    await eventually(
      'all are done',
      async () => {
        const { ready, inHand, delayed } = await queue.admin.depth(topic, 'default');
        return ready === 0 && inHand === 0 && delayed === 0;
      },
      30_000,
    );
    const seen: number[] = [];
    await queue.consume(results, async ({ message: { body } }) => {
      seen.push(body.n);
    });
    await eventually('the results arrive', () => seen.length >= count, 20_000);
    await eventually('nothing is left', async () => (await queue.admin.depth(results, 'default')).inHand === 0);
    // Not twice either: a result is stored in the instant in which its job is gone.
    expect(seen.length).toBe(count);
    expect(new Set(seen).size).toBe(count);
  }, 90_000);

  test("what was published in an application's transaction is gone when the server was killed before its commit", async () => {
    const url = await server().freshUrl();
    const topic = jobTopic();
    await using queue = await openProcess(topic, { url });
    await using application = await RawConnection.open(url);
    await application.connection.beginTransaction();
    await queue.within(application.connection).publish(topic, { n: 1 });

    await server().control?.restart();

    await expect(application.connection.commit()).rejects.toThrow();
    await queue.publish(topic, { n: 2 });
    const received: number[] = [];
    await queue.consume(topic, async ({ message: { body } }) => {
      received.push(body.n);
    });
    await eventually('the next message arrives', () => received.includes(2));
    expect(received).toEqual([2]);
    await using raw = await RawConnection.open(url);
    await eventually('nothing is left', async () => (await raw.messages()) === 0);
  }, 60_000);
});
