import { defineTopic, openQueue, type Topic, VirtualClock } from 'signalbox';
import { memory } from 'signalbox/memory';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const options = { schema: z.string(), backoff: { initialMs: 1_000, jitter: 0 } } as const;
const unordered = defineTopic('unordered', options);
const ordered = defineTopic('ordered', { ...options, ordering: 'key' });

/** A consumer whose handlers work until the test lets them go. */
async function setUp(topic: Topic<typeof options.schema>, concurrency = 16) {
  const clock = new VirtualClock(0);
  const queue = await openQueue(memory({ clock }), { topics: [unordered, ordered] });
  const log: string[] = [];
  const working = new Map<string, (error?: Error) => void>();
  queue.events.on('handler-failed', ({ id, error }) =>
    log.push(`${clock.now()} ${id} ${(error as { code: string }).code}`),
  );
  queue.events.on('settled', ({ id, verb }) => log.push(`${clock.now()} ${id} ${verb}`));
  await queue.consume(
    topic,
    ({ message, attempt, signal }) => {
      log.push(`${clock.now()} ${message.id} starts ${attempt}`);
      signal.addEventListener('abort', () => log.push(`${clock.now()} ${message.id} ${signal.reason.code} by signal`));
      return new Promise<void>((resolve, reject) => {
        working.set(message.id, (error) => (error === undefined ? resolve() : reject(error)));
      });
    },
    { timeoutMs: 5_000, concurrency },
  );
  return { clock, queue, log, working };
}

describe('a handler that takes longer than its time', () => {
  it('has failed at once on an unordered topic: signal, then nack, then another attempt beside it', async () => {
    const { clock, queue, log, working } = await setUp(unordered);

    await queue.publish(unordered, 'x', { id: 'a' });
    await clock.advance(6_000);

    expect(log).toEqual([
      '0 a starts 1',
      '5000 a timeout by signal',
      '5000 a timeout',
      '5000 a nack',
      '6000 a starts 2',
    ]);
    working.get('a')?.();
    await clock.advance(0);
    expect(log.at(-1)).toBe('6000 a ack');
    await queue.close({ deadlineMs: 0 });
    expect(clock.pending).toBe(0);
  });

  it('keeps its place among those that run, until it returns', async () => {
    const { clock, queue, log, working } = await setUp(unordered, 1);

    await queue.publish(unordered, 'x', { id: 'a' });
    await queue.publish(unordered, 'x', { id: 'b' });
    await clock.advance(8_000);
    expect(log.filter((line) => line.includes('starts'))).toEqual(['0 a starts 1']);
    working.get('a')?.();
    await clock.advance(0);

    expect(log.at(-1)).toBe('8000 b starts 1');
    await queue.close({ deadlineMs: 0 });
  });

  it('keeps its key on an ordered topic until it returns: later ones of the key wait, others go on', async () => {
    const { clock, queue, log, working } = await setUp(ordered);

    await queue.publish(ordered, 'x', { id: 'a1', key: 'a' });
    await queue.publish(ordered, 'x', { id: 'a2', key: 'a' });
    await queue.publish(ordered, 'x', { id: 'b1', key: 'b' });
    await clock.advance(9_000);
    working.get('b1')?.();
    await clock.advance(0);
    expect(log).toEqual([
      '0 a1 starts 1',
      '0 b1 starts 1',
      '5000 a1 timeout by signal',
      '5000 b1 timeout by signal',
      '9000 b1 timeout',
      '9000 b1 nack',
    ]);
    working.get('a1')?.(new Error('too late to say so'));
    await clock.advance(0);

    expect(log.slice(6)).toEqual(['9000 a1 timeout', '9000 a1 nack', '9000 a2 starts 1']);
    await queue.close({ deadlineMs: 0 });
    expect(clock.pending).toBe(0);
  });

  it('keeps its key no longer than a lease', async () => {
    const { clock, queue, log } = await setUp(ordered);

    await queue.publish(ordered, 'x', { id: 'a1', key: 'a' });
    await queue.publish(ordered, 'x', { id: 'a2', key: 'a' });
    await clock.advance(34_999);
    expect(log).toHaveLength(2);
    await clock.advance(1);

    expect(log.slice(2)).toEqual(['35000 a1 timeout', '35000 a1 nack', '35000 a2 starts 1']);
    await queue.close({ deadlineMs: 0 });
    expect(clock.pending).toBe(0);
  });

  it('without a key is held up by nobody on an ordered topic either', async () => {
    const { clock, queue, log } = await setUp(ordered);

    await queue.publish(ordered, 'x', { id: 'a' });
    await clock.advance(5_000);

    expect(log.at(-1)).toBe('5000 a nack');
    await queue.close({ deadlineMs: 0 });
  });

  it('that returns in time leaves no timer', async () => {
    const { clock, queue, log, working } = await setUp(unordered);

    await queue.publish(unordered, 'x', { id: 'a' });
    await clock.advance(4_999);
    working.get('a')?.();
    await clock.advance(0);
    await queue.close();

    expect(log).toEqual(['0 a starts 1', '4999 a ack']);
    expect(clock.pending).toBe(0);
  });
});
