import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Delivery, defineTopic, openQueue, sleep, VirtualClock } from 'signalbox';
import { type MemoryDriver, memory } from 'signalbox/memory';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const jobs = defineTopic('jobs', { schema: z.number() });
const ordered = defineTopic('ordered', { schema: z.number(), ordering: 'key' });

async function setUp(change: (driver: MemoryDriver) => void = () => {}) {
  const clock = new VirtualClock(0);
  const driver = memory({ clock });
  change(driver);
  const queue = await openQueue(driver, { topics: [jobs, ordered] });
  return { clock, driver, queue };
}

const never = (): Promise<never> => new Promise(() => {});

describe('closing', () => {
  it('twice, at once and from several places is one closing', async () => {
    let closings = 0;
    const { clock, queue } = await setUp((driver) => {
      const close = driver.close.bind(driver);
      driver.close = () => {
        closings++;
        return close();
      };
    });
    const consumer = await queue.consume(jobs, () => {});
    const subscription = queue.subscribe(jobs);
    const closed: unknown[] = [];
    queue.events.on('closed', (event) => closed.push(event));

    await Promise.all([
      queue.close(),
      consumer.close(),
      queue.close(),
      subscription.close(),
      consumer.close(),
      queue.close(),
    ]);
    await queue.close();
    await consumer.close();

    expect([closings, closed, clock.pending]).toEqual([1, [{ backend: 'memory' }], 0]);
  });

  it.each(['queue', 'consumer'] as const)(
    'a %s inside a handler, without waiting for it, lets that handler end and its ack arrive',
    async (which) => {
      const { clock, queue } = await setUp();
      let closed: Promise<void> | null = null;
      const settled: string[] = [];
      queue.events.on('settled', ({ verb }) => settled.push(verb));
      const consumer = await queue.consume(jobs, async () => {
        closed = which === 'queue' ? queue.close() : consumer.close();
        await sleep(clock, 1_000);
      });

      await queue.publish(jobs, 1);
      await clock.advance(1_000);
      await closed;

      expect([settled, clock.now()]).toEqual([['ack'], 1_000]);
      await queue.close();
      expect(clock.pending).toBe(0);
    },
  );

  it('ends the loop over a subscription that waits for a message', async () => {
    const { clock, queue } = await setUp();
    const seen: number[] = [];
    const loop = (async () => {
      for await (const delivery of queue.subscribe(jobs)) {
        seen.push(delivery.message.body);
        await delivery.ack();
      }
      return 'ended';
    })();
    await queue.publish(jobs, 1);
    await clock.advance(0);

    await queue.close();

    expect(await Promise.race([loop, clock.advance(0).then(() => 'still waiting')])).toBe('ended');
    expect(seen).toEqual([1]);
    expect(clock.pending).toBe(0);
  });

  it('ends a subscription that nobody has iterated yet, without opening it', async () => {
    const { queue } = await setUp();
    const subscription = queue.subscribe(jobs, { group: 'nope' });

    await queue.close();

    expect(await subscription[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined });
  });

  it('leaving a loop gives back at once what was not settled, without waiting for any time to pass', async () => {
    const { clock, queue } = await setUp();
    await queue.publishBatch(jobs, [{ body: 1 }, { body: 2 }, { body: 3 }]);

    for await (const { message, ack: _ } of queue.subscribe(jobs)) {
      expect(message.body).toBe(1);
      break;
    }

    expect(clock.now()).toBe(0);
    const again: string[] = [];
    const consumer = await queue.consume(
      jobs,
      ({ message, redeliveries }) => void again.push(`${message.body} ${redeliveries}`),
    );
    await clock.advance(0);
    // Only the first had been handed out.
    expect(again.sort()).toEqual(['1 1', '2 0', '3 0']);
    await consumer.close();
    await queue.close();
    expect(clock.pending).toBe(0);
  });

  it('waits for handlers and their settles, then no timer is left', async () => {
    const { clock, queue } = await setUp();
    let finish = (): void => {};
    await queue.consume(
      jobs,
      () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
      { concurrency: 1, timeoutMs: 60_000 },
    );
    await queue.publishBatch(jobs, [{ body: 1 }, { body: 2 }]);
    await clock.advance(0);
    const given: string[] = [];
    queue.events.on('given-back', ({ id }) => given.push(id));
    const settled: string[] = [];
    queue.events.on('settled', ({ verb }) => settled.push(verb));

    const closing = queue.close();
    await clock.advance(10_000);
    expect([new Set(given).size, settled]).toEqual([1, []]);
    finish();
    await closing;

    expect(settled).toEqual(['ack']);
    expect(clock.pending).toBe(0);
  });

  it('at its deadline aborts what is left, which comes again; no timer is left of a handler that never returns', async () => {
    const { clock, driver, queue } = await setUp();
    const kept: Delivery<number>[] = [];
    await queue.consume(
      ordered,
      (delivery) => {
        kept.push(delivery);
        void delivery.signal;
        return never();
      },
      { timeoutMs: 3_600_000 },
    );
    await queue.publish(ordered, 1, { key: 'k' });
    await queue.publish(ordered, 2, { key: 'k' });
    await clock.advance(0);

    const closing = queue.close({ deadlineMs: 5_000 });
    await clock.advance(4_999);
    expect(kept[0]?.signal.aborted).toBe(false);
    await clock.advance(1);
    await closing;

    expect(kept.map(({ signal }) => (signal.reason as { code: string }).code)).toEqual(['aborted']);
    await expect(kept[0]?.ack()).rejects.toMatchObject({ code: 'lease-lost' });
    expect(clock.pending).toBe(0);
    expect(driver.health().connected).toBe(false);
  });

  it('while the backend does not answer ends all the same, and what was under way is of unknown outcome', async () => {
    const { clock, queue } = await setUp((driver) => {
      driver.send = never;
    });
    const published = expect(queue.publish(jobs, 1)).rejects.toMatchObject({ code: 'closed', outcomeUnknown: true });
    await clock.advance(0);

    const closing = queue.close({ deadlineMs: 2_000 });
    await clock.advance(2_000);
    await Promise.all([closing, published]);

    expect(clock.pending).toBe(0);
  });

  it('lets what was published before it leave', async () => {
    const clock = new VirtualClock(0);
    const { memoryStore } = await import('signalbox/memory');
    const store = memoryStore({ clock });
    const queue = await openQueue(memory({ store }), { topics: [jobs] });

    const published = queue.publish(jobs, 1);
    const closing = queue.close();
    await Promise.all([published, closing]);
    await expect(queue.publish(jobs, 2)).rejects.toMatchObject({ code: 'closed', outcomeUnknown: false });

    const again = await openQueue(memory({ store }), { topics: [jobs] });
    expect(await again.admin.depth(jobs)).toMatchObject({ ready: 1 });
    await again.close();
  });

  it('while a subscription is being opened closes that, too', async () => {
    let opened = (): void => {};
    const { clock, queue } = await setUp((driver) => {
      const subscribe = driver.subscribe.bind(driver);
      driver.subscribe = async (options) => {
        await new Promise<void>((resolve) => {
          opened = resolve;
        });
        return subscribe(options);
      };
    });
    const consuming = queue.consume(jobs, () => {});
    await clock.advance(0);

    const closing = queue.close();
    opened();
    await closing;
    await consuming;

    expect(clock.pending).toBe(0);
  });

  it('while a subscription is being renewed closes that, too', async () => {
    const { clock, queue, driver } = await setUp();
    await queue.consume(jobs, () => {});
    await queue.admin.removeGroup(jobs, 'default');
    await clock.advance(10);

    await Promise.all([queue.close(), clock.advance(5_000)]);

    expect([clock.pending, driver.health().connected]).toEqual([0, false]);
  });

  it('is what `await using` does', async () => {
    const { clock, queue } = await setUp();
    {
      await using mine = queue;
      await using consumer = await mine.consume(jobs, () => {});
      expect(consumer.consumer).toContain('jobs');
    }

    await expect(queue.publish(jobs, 1)).rejects.toMatchObject({ code: 'closed' });
    expect(clock.pending).toBe(0);
  });
});

describe('a process', () => {
  const built = fileURLToPath(new URL('../../dist/index.js', import.meta.url));

  // Needs the built package, which `npm test` makes.
  it.skipIf(!existsSync(built))('ends by itself when its queue was closed, whatever was going on', async () => {
    const program = `
      import { openQueue, defineTopic } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
      const schema = { '~standard': { version: 1, vendor: 'x', validate: (value) => ({ value }) } };
      const jobs = defineTopic('jobs', { schema });
      const queue = await openQueue('memory:', { topics: [jobs] });
      const other = queue.subscribe(jobs);
      const loop = (async () => { for await (const delivery of other) await delivery.postpone(60_000); })();
      await queue.consume(jobs, () => new Promise(() => {}), { concurrency: 1, timeoutMs: 600_000 });
      await queue.publishAfter(jobs, 1, 3_600_000);
      for (let n = 0; n < 10; n++) await queue.publish(jobs, n);
      await new Promise((resolve) => setImmediate(resolve));
      await queue.close({ deadlineMs: 100 });
      await loop;
      console.log('closed');
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        output += String(chunk);
      });
    const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);

    const [code, signal] = await new Promise<readonly unknown[]>((resolve) => {
      child.on('close', (...ended) => resolve(ended));
    });
    clearTimeout(timer);

    expect([output.trim(), code, signal]).toEqual(['closed', 0, null]);
  });
});
