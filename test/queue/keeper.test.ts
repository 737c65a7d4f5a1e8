import { defineTopic, openQueue, type Queue, type QueueOptions, VirtualClock } from 'signalbox';
import { type MemoryDriver, memory } from 'signalbox/memory';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { DriverLease, DriverSubscription } from '../../src/queue/driver.js';

const numbers = defineTopic('numbers', { schema: z.number() });
const lateNumbers = defineTopic('late-numbers', {
  schema: z.number().refine(async (n) => {
    // Read by a schema that takes its time on the test's clock.
    await new Promise<void>((resolve) => schemaClock?.schedule(resolve, n));
    return true;
  }),
});
let schemaClock: VirtualClock | null = null;

type Extend = DriverLease['extend'];

/** A queue on memory whose lease extensions the test hears of, and may answer for. */
async function setUp(options: Partial<QueueOptions> = {}, around: (extend: Extend) => Extend = (extend) => extend) {
  const clock = new VirtualClock(0);
  const driver = memory({ clock });
  const extensions: number[] = [];
  const subscribe = driver.subscribe.bind(driver);
  driver.subscribe = async (subscribeOptions) => {
    const subscription = await subscribe(subscribeOptions);
    const { lease } = subscription as { lease: DriverLease };
    const extend = around((receipts, ms) => lease.extend(receipts, ms));
    return with_(subscription, {
      ms: lease.ms,
      extend: (receipts, ms) => {
        extensions.push(clock.now());
        return extend(receipts, ms);
      },
    });
  };
  const queue = await openQueue(driver, { topics: [numbers], ...options });
  return { clock, driver, queue, extensions };
}

function with_(subscription: DriverSubscription, lease: DriverLease): DriverSubscription {
  return {
    lease,
    receive: (max, waitMs, signal) => subscription.receive(max, waitMs, signal),
    settle: (batch) => subscription.settle(batch),
    close: () => subscription.close(),
  };
}

/** Handlers that the test lets go. */
function gate() {
  const waiting: (() => void)[] = [];
  return {
    started: () => waiting.length,
    pass: () => new Promise<void>((resolve) => waiting.push(resolve)),
    open: () => {
      for (const resolve of waiting.splice(0)) resolve();
    },
  };
}

const inHand = async (queue: Queue): Promise<unknown> => (await queue.admin.depth(numbers)).inHand;

describe('leases', () => {
  it('are extended every third of their time for as long as a handler works', async () => {
    const { clock, queue, extensions } = await setUp();
    const { pass, open } = gate();
    let deliveries = 0;
    await queue.consume(numbers, () => {
      deliveries++;
      return pass();
    });

    await queue.publish(numbers, 1);
    await clock.advance(65_000);

    expect(extensions).toEqual([10_000, 20_000, 30_000, 40_000, 50_000, 60_000]);
    expect([deliveries, await inHand(queue)]).toEqual([1, 1]);
    open();
    await clock.advance(0);
    expect(await inHand(queue)).toBe(0);
    await queue.close();
    expect(clock.pending).toBe(0);
  });

  it('are no longer extended when nothing is held', async () => {
    const { clock, queue, extensions } = await setUp();
    await queue.consume(numbers, () => {});

    await queue.publish(numbers, 1);
    await clock.advance(300_000);

    expect(extensions).toEqual([]);
    // Only the driver's wait for the next message is left.
    expect(clock.pending).toBe(1);
    await queue.close();
    expect(clock.pending).toBe(0);
  });

  it('are extended again a second after an extension failed, and nothing is lost', async () => {
    let failures = 2;
    const { clock, queue, extensions } = await setUp({}, (extend) => async (receipts, ms) => {
      if (failures-- > 0) throw new Error('away');
      return extend(receipts, ms);
    });
    const { pass, open } = gate();
    const lost: string[] = [];
    queue.events.on('lease-lost', ({ id }) => lost.push(id));
    await queue.consume(numbers, pass);

    await queue.publish(numbers, 1);
    await clock.advance(25_000);

    expect(extensions).toEqual([10_000, 11_000, 12_000, 22_000]);
    expect(lost).toEqual([]);
    open();
    await queue.close();
  });

  it('that cannot be extended are given up when they end, at the latest: the signal says so', async () => {
    const { clock, queue } = await setUp({}, () => async () => {
      throw new Error('away');
    });
    const { pass, open } = gate();
    const reasons: unknown[] = [];
    await queue.consume(
      numbers,
      (delivery) => {
        delivery.signal.addEventListener('abort', () => reasons.push(clock.now(), delivery.signal.reason.code));
        return pass();
      },
      { concurrency: 1 },
    );

    await queue.publish(numbers, 1);
    await clock.advance(29_999);
    expect(reasons).toEqual([]);
    await clock.advance(1);

    expect(reasons).toEqual([30_000, 'lease-lost']);
    open();
    await queue.close();
  });

  it('an extension that takes longer than it should is not asked for twice, and no timer spins meanwhile', async () => {
    let answer = (): void => {};
    const { clock, queue, extensions } = await setUp({}, (extend) => async (receipts, ms) => {
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return extend(receipts, ms);
    });
    const { pass, open } = gate();
    await queue.consume(numbers, pass);

    await queue.publish(numbers, 1);
    await clock.advance(25_000);
    expect(extensions).toEqual([10_000]);
    answer();
    await clock.advance(0);
    await clock.advance(1);

    expect(extensions).toEqual([10_000, 25_000]);
    answer();
    open();
    await queue.close();
  });

  it('a lease that the backend calls lost ends the delivery', async () => {
    const { clock, queue } = await setUp({}, () => async (receipts) => receipts.map(() => 'lost' as const));
    const { pass, open } = gate();
    const lost: number[] = [];
    queue.events.on('lease-lost', () => lost.push(clock.now()));
    const seen: unknown[] = [];
    await queue.consume(
      numbers,
      async (delivery) => {
        await pass();
        await delivery.ack().catch(({ code }) => seen.push(code));
      },
      { concurrency: 1 },
    );

    await queue.publish(numbers, 1);
    await clock.advance(10_000);
    expect(lost).toEqual([10_000]);
    open();
    await clock.advance(0);

    expect(seen).toEqual(['lease-lost']);
    await queue.close({ deadlineMs: 0 });
  });

  it('are extended by hand only, where automatic extension is off', async () => {
    const { clock, queue, extensions } = await setUp();
    const { pass, open } = gate();
    const lost: number[] = [];
    queue.events.on('lease-lost', () => lost.push(clock.now()));
    await queue.consume(
      numbers,
      async (delivery) => {
        if (delivery.redeliveries > 0) return;
        await delivery.extend(60_000);
        await pass();
      },
      { leaseExtension: 'manual' },
    );

    await queue.publish(numbers, 1);
    await clock.advance(59_999);
    expect([extensions, lost]).toEqual([[0], []]);
    await clock.advance(1);

    expect(lost).toEqual([60_000]);
    open();
    await queue.close();
    expect(clock.pending).toBe(0);
  });

  it('count from the receipt of a message, however long its schema takes', async () => {
    const { clock, queue, extensions } = await setUp({ topics: [lateNumbers] });
    schemaClock = clock;
    const { pass, open } = gate();
    await queue.consume(lateNumbers, pass);

    const published = queue.publish(lateNumbers, 4_000);
    await clock.advance(4_000);
    await published;
    await clock.advance(10_000);

    expect(extensions).toEqual([14_000]);
    open();
    await queue.close();
  });
});

describe('what waits unstarted', () => {
  it('is given back after ten minutes, uncounted, while what was started goes on', async () => {
    const { clock, queue } = await setUp();
    const { pass, open } = gate();
    const given: string[] = [];
    queue.events.on('given-back', ({ id }) => given.push(`${id} at ${clock.now()}`));
    const redeliveries: number[] = [];
    await queue.consume(
      numbers,
      (delivery) => {
        redeliveries.push(delivery.redeliveries);
        return pass();
      },
      { concurrency: 1, prefetch: 2 },
    );

    await queue.publish(numbers, 1, { id: 'started' });
    await queue.publish(numbers, 2, { id: 'waiting' });
    await clock.advance(599_999);
    expect(given).toEqual([]);
    await clock.advance(1);

    expect(given).toEqual(['waiting at 600000']);
    open();
    await clock.advance(0);
    open();
    await clock.advance(0);
    expect(redeliveries).toEqual([0, 0]);
    await queue.close();
  });

  it('is given back where there are no leases as well', async () => {
    const clock = new VirtualClock(0);
    const driver: MemoryDriver = memory({ clock, leaseMs: 10_000_000 });
    const subscribe = driver.subscribe.bind(driver);
    driver.subscribe = async (options) => {
      const subscription = await subscribe(options);
      return { ...with_(subscription, subscription.lease as DriverLease), lease: null };
    };
    const queue = await openQueue(driver, { topics: [numbers] });
    const { pass, open } = gate();
    let given = 0;
    queue.events.on('given-back', () => given++);
    await queue.consume(numbers, pass, { concurrency: 1, prefetch: 2 });

    await queue.publish(numbers, 1);
    await clock.advance(300_000);
    await queue.publish(numbers, 2);
    await clock.advance(599_999);
    expect(given).toBe(0);
    await clock.advance(1);

    expect(given).toBe(1);
    open();
    await clock.advance(0);
    open();
    await queue.close();
    expect(clock.pending).toBe(0);
  });
});
