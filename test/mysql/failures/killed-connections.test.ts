// An administrator, or a proxy that ends what is idle, takes single connections away: each kind of ours is made anew.
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { describeServers } from '../../servers/index.js';
import { eventually } from '../eventually.js';
import { jobTopic, openProcess, type TestQueue } from './jobs.js';
import { RawConnection } from './raw-connection.js';

await describeServers(['mariadb', 'mysql'], (_, server) => {
  /** Has every connection of the process used: publishing, claiming, settling one and many, with an outbox. */
  async function useAll(queue: TestQueue, topic: ReturnType<typeof jobTopic>, done: Set<number>, from: number) {
    const ids = Array.from({ length: 20 }, (_, i) => from + i);
    await queue.publishBatch(
      topic,
      ids.map((n) => ({ body: { n } })),
    );
    await queue.publishAfter(topic, { n: from + 20 }, 30);
    await eventually('all arrive', () => [...ids, from + 20].every((n) => done.has(n)), 5_000);
  }

  test.concurrent('each of our connections may be killed: what it was for goes on over another', async () => {
    const url = await server().freshUrl();
    const topic = jobTopic();
    await using raw = await RawConnection.open(url);
    await using queue = await openProcess(topic, { url });
    const events: string[] = [];
    for (const event of ['disconnected', 'connected'] as const) queue.events.on(event, () => events.push(event));
    const done = new Set<number>();
    await queue.consume(topic, async ({ message: { body }, outbox }) => {
      if (body.n % 2 === 0 && body.n < 1_000_000) await outbox.publish(topic, { n: 1_000_000 + body.n });
      done.add(body.n);
    });
    await useAll(queue, topic, done, 0);
    const first = await raw.others();

    for (const [index, id] of first.entries()) {
      await raw.run(`kill ${id}`);
      await useAll(queue, topic, done, 100 * (index + 1));
    }

    // Publishing, claims, settlements, probes and what is short, and the one that says that we live.
    expect(first.length).toBeGreaterThanOrEqual(5);
    await eventually('all are there again', async () => {
      const now = await raw.others();
      return now.length >= 5 && first.every((id) => !now.includes(id));
    });
    expect(events).toEqual(['disconnected', 'connected']);
    await eventually('nothing is left', async () => (await raw.messages()) === 0);
  });

  test.concurrent.each([
    ['connections', 'kill'],
    ['statements', 'kill query'],
  ])('%s that are killed all the time cost nothing that was confirmed', async (_what, kill) => {
    const url = await server().freshUrl();
    const topic = jobTopic();
    await using raw = await RawConnection.open(url);
    await using queue = await openProcess(topic, { url, leaseMs: 3_000 });
    const done = new Map<number, number>();
    await queue.consume(topic, ({ message: { body } }) => {
      done.set(body.n, (done.get(body.n) ?? 0) + 1);
    });
    const confirmed: number[] = [];
    const failures: unknown[] = [];
    let running = true;
    let kills = 0;
    const killer = (async () => {
      while (running) {
        const others = await raw.others();
        const one = others[Math.floor(Math.random() * others.length)];
        await raw.run(`${kill} ${one}`).then(
          () => kills++,
          () => {}, // it was gone before
        );
        await pause(20);
      }
    })();

    await Promise.all(
      Array.from({ length: 4 }, async (_, loop) => {
        for (let i = 0; i < 100; i++) {
          const n = loop * 1_000 + i;
          await queue.publish(topic, { n }).then(
            () => confirmed.push(n),
            (error: unknown) => failures.push(error),
          );
        }
      }),
    );
    await eventually('kills enough', () => kills >= 30);
    running = false;
    await killer;

    expect(failures).toEqual([]);
    await eventually('all arrive', () => confirmed.every((n) => done.has(n)), 15_000);
    await eventually('nothing is left', async () => (await raw.messages()) === 0, 15_000);
  });
});
