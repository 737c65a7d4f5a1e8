import { defineTopic, openQueue, type Queue, type QueueError, VirtualClock } from 'signalbox';
import { type FaultPlan, faulty } from 'signalbox/conformance';
import { memory } from 'signalbox/memory';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { withoutLeases } from '../conformance/faults-world.js';

const jobs = defineTopic('jobs', { schema: z.string() });
const lines = defineTopic('lines', { schema: z.string(), ordering: 'key', lanes: 4 });

/** On a backend whose subscription keeps what is held: the store's own leases are too long to show. */
async function setUp(faults: FaultPlan['faults'], lease: 'none' | 'ends' = 'none') {
  const clock = new VirtualClock(0);
  const store = memory({ clock, leaseMs: lease === 'none' ? 365 * 86_400_000 : 30_000 });
  const driver = faulty(lease === 'none' ? withoutLeases(store) : store, { faults });
  const queue = await openQueue(driver, { topics: [jobs, lines], random: () => 0.5 });
  const log: unknown[] = [];
  for (const name of ['settled', 'lease-lost', 'given-back'] as const)
    queue.events.on(name, ({ id }) => log.push(`${name} ${id}`));
  queue.events.on('settle-failed', ({ id, error }) => log.push(`settle-failed ${id} ${(error as QueueError).code}`));
  queue.events.on('resubscribed', ({ stranded }) => log.push(`resubscribed ${stranded} at ${clock.now()}`));
  return { clock, queue, driver, log };
}

const settleOf = (id: string) => (call: { verb: string }) =>
  call.verb === 'settle' && (call as never as { ids: string[] }).ids.includes(id);

async function ended(clock: VirtualClock, queue: Queue): Promise<number> {
  const closing = queue.close();
  await clock.advance(60_000);
  await closing;
  return clock.pending;
}

describe('what a backend without leases will not settle', () => {
  it('comes again with a new subscription, at once when it is refused for good, and what runs beside it ends first', async () => {
    const { clock, queue, log } = await setUp([
      { fault: 'fail-entry', of: 'settle', match: settleOf('refused'), code: 'denied', times: 2 },
    ]);
    let finish = (): void => {};
    await queue.consume(jobs, ({ message, redeliveries }) => {
      log.push(`${message.id} ${redeliveries}`);
      if (message.id !== 'slow') return undefined;
      return new Promise<void>((resolve) => {
        finish = resolve;
      });
    });

    for (const id of ['slow', 'refused']) await queue.publish(jobs, '', { id });
    await clock.advance(5_000);
    const health = queue.health();
    finish();
    await clock.advance(0);

    expect([health.status, health.consumers[0]?.stranded]).toEqual(['degraded', 1]);
    expect(log).toEqual([
      ...['slow 0', 'refused 0', 'lease-lost refused'],
      ...['settled slow', 'resubscribed 1 at 5000', 'refused 1', 'settled refused'],
    ]);
    expect([queue.health().status, queue.health().consumers[0]?.stranded]).toEqual(['ok', 0]);
    expect(await ended(clock, queue)).toBe(0);
  });

  it('comes again when its settlement had no answer until its deadline', async () => {
    const { clock, queue, log, driver } = await setUp([{ fault: 'fail', of: 'settle', code: 'resource-exhausted' }]);
    await queue.consume(jobs, ({ message, redeliveries }) => void log.push(`${message.id} ${redeliveries}`));

    await queue.publish(jobs, '', { id: 'a' });
    await clock.advance(29_000);
    const before = [...log];
    driver.calm();
    await clock.advance(0);
    expect(before).toEqual(['a 0']);
    await clock.advance(2_000);
    expect(log).toEqual(['a 0', 'settled a']);

    expect(await ended(clock, queue)).toBe(0);
  });

  it.each(['none', 'ends'] as const)('for 30 s is told and comes again, with leases that end: %s', async (lease) => {
    const { clock, queue, log, driver } = await setUp([{ fault: 'fail', of: 'settle' }], lease);
    await queue.consume(jobs, ({ message, redeliveries }) => void log.push(`${message.id} ${redeliveries}`));

    await queue.publish(jobs, '', { id: 'a' });
    await clock.advance(30_000);
    driver.calm();
    await clock.advance(35_000);

    expect(log).toEqual([
      ...['a 0', 'settle-failed a unavailable'],
      ...(lease === 'none' ? ['resubscribed 1 at 30000'] : []),
      ...['a 1', 'settled a'],
    ]);
    expect(await ended(clock, queue)).toBe(0);
  });

  it('never makes a subscription anew more often than every 30 s', async () => {
    const { clock, queue, log } = await setUp([{ fault: 'fail-entry', of: 'settle', code: 'denied' }]);
    let handled = 0;
    await queue.consume(jobs, () => void handled++);

    await queue.publish(jobs, '', { id: 'a' });
    await clock.advance(100_000);

    expect(log.filter((entry) => String(entry).startsWith('resubscribed'))).toEqual([
      'resubscribed 1 at 0',
      'resubscribed 1 at 30000',
      'resubscribed 1 at 60000',
      'resubscribed 1 at 90000',
    ]);
    expect(handled).toBe(5);
    expect(await ended(clock, queue)).toBe(0);
  });

  it('takes with it, after 30 s, a handler that does not end', async () => {
    const { clock, queue, log } = await setUp([
      { fault: 'fail-entry', of: 'settle', match: settleOf('refused'), code: 'denied', times: 2 },
    ]);
    const aborted: unknown[] = [];
    await queue.consume(jobs, ({ message, signal, redeliveries }) => {
      if (message.id !== 'endless' || redeliveries > 0) return undefined;
      signal.addEventListener('abort', () => aborted.push(clock.now()));
      return new Promise<void>(() => {});
    });

    for (const id of ['endless', 'refused']) await queue.publish(jobs, '', { id });
    await clock.advance(30_000);

    expect(aborted).toEqual([30_000]);
    expect(log).toEqual([
      'lease-lost refused',
      'lease-lost endless',
      'resubscribed 1 at 30000',
      ...['settled endless', 'settled refused'],
    ]);
    expect(await ended(clock, queue)).toBe(0);
  });

  it('leaves what was not started uncounted and in order', async () => {
    const { clock, queue, log } = await setUp([
      { fault: 'fail-entry', of: 'settle', match: settleOf('1'), code: 'denied', times: 2 },
    ]);
    const seen: string[] = [];
    await queue.consume(lines, ({ message, redeliveries }) => void seen.push(`${message.id} ${redeliveries}`), {
      concurrency: 1,
    });

    await queue.publishBatch(
      lines,
      ['1', '2', '3', '4'].map((id) => ({ body: '', id, key: 'k' })),
    );
    await clock.advance(1_000);

    expect(seen).toEqual(['1 0', '1 1', '2 0', '3 0', '4 0']);
    expect(log).toContain('resubscribed 1 at 0');
    expect(await ended(clock, queue)).toBe(0);
  });

  it('of a close that comes meanwhile is no longer waited for', async () => {
    const { clock, queue, log } = await setUp([
      { fault: 'fail-entry', of: 'settle', match: settleOf('refused'), code: 'denied' },
    ]);
    await queue.consume(jobs, ({ message }) => (message.id === 'endless' ? new Promise(() => {}) : undefined));
    for (const id of ['endless', 'refused']) await queue.publish(jobs, '', { id });
    await clock.advance(1_000);

    const closing = queue.close({ deadlineMs: 2_000 }).then(() => log.push(`closed at ${clock.now()}`));
    await clock.advance(10_000);
    await closing;

    expect(log).toEqual(['lease-lost refused', 'closed at 3000']);
    expect(clock.pending).toBe(0);
  });
});
