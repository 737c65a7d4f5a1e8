import type { StandardSchemaV1 } from '@standard-schema/spec';
import { defineTopic, openQueue, VirtualClock } from 'signalbox';
import { memory } from 'signalbox/memory';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

/** A schema that answers after so many milliseconds for a number, and never for the text `stuck`. */
function slowSchema(clock: VirtualClock, ms: number, slow: { on: boolean }): StandardSchemaV1<unknown, unknown> {
  return {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value) => {
        if (!slow.on) return { value };
        if (value === 'stuck') return new Promise(() => {});
        return new Promise((resolve) => clock.schedule(() => resolve({ value }), ms));
      },
    },
  };
}

describe('schemas that take their time', () => {
  it('one that never answers keeps no other publish waiting, and fails at its deadline', async () => {
    const clock = new VirtualClock();
    const slow = defineTopic('slow', { schema: slowSchema(clock, 10, { on: true }) });
    const quick = defineTopic('quick', { schema: z.string() });
    const queue = await openQueue(memory({ clock }), { topics: [slow, quick] });
    const stuck = queue.publish(slow, 'stuck', { key: 'a' }).catch((error: unknown) => error);

    await queue.publish(quick, 'at once');
    const sameKey = queue.publish(slow, 1, { key: 'a' }).catch((error: unknown) => error);
    const otherKey = queue.publish(slow, 2, { key: 'b' });
    await clock.advance(20);
    await expect(otherKey).resolves.toMatchObject({ groups: 1 });
    await clock.advance(30_000);

    expect(await stuck).toMatchObject({ code: 'timeout', outcomeUnknown: false });
    expect(await sameKey).toMatchObject({ code: 'timeout' });
    await queue.close();
    expect(clock.pending).toBe(0);
  });

  it('an abort is answered at once, and a close ends what is still being checked', async () => {
    const clock = new VirtualClock();
    const slow = defineTopic('slow', { schema: slowSchema(clock, 10, { on: true }) });
    const queue = await openQueue(memory({ clock }), { topics: [slow] });
    const abort = new AbortController();
    const given = queue.publish(slow, 'stuck', { signal: abort.signal }).catch((error: unknown) => error);
    const left = queue.publish(slow, 'stuck').catch((error: unknown) => error);
    await clock.advance(50);

    abort.abort();
    await queue.close();

    expect(await given).toMatchObject({ code: 'aborted', outcomeUnknown: false });
    expect(await left).toMatchObject({ code: 'closed' });
    expect(clock.pending).toBe(0);
  });

  it('a batch keeps its order and has a result for each place', async () => {
    const clock = new VirtualClock();
    const numbers = defineTopic('numbers', {
      schema: {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: (value: unknown) =>
            new Promise((resolve) => clock.schedule(() => resolve({ value }), 100 - Number(value))),
        },
      } satisfies StandardSchemaV1,
    });
    const queue = await openQueue(memory({ clock }), { topics: [numbers] });
    const batch = queue.publishBatch(numbers, [{ body: 1 }, { body: 50 }, { body: 99 }]);
    await clock.advance(1_000);

    expect((await batch).map(({ status }) => status)).toEqual(['published', 'published', 'published']);
    const seen: unknown[] = [];
    await queue.consume(numbers, ({ message }) => seen.push(message.body), { concurrency: 1 });
    await clock.advance(1_000);
    expect(seen.length).toBe(3);
    await queue.close();
  });

  it.each([150, 500, 31_000])('messages whose schema takes %i ms on receipt are each handled once', async (ms) => {
    const clock = new VirtualClock();
    const slow = { on: false };
    const topic = defineTopic('slow', { schema: slowSchema(clock, ms, slow) });
    const queue = await openQueue(memory({ clock }), { topics: [topic] });
    await queue.publishBatch(
      topic,
      Array.from({ length: 256 }, (_, body) => ({ body })),
    );
    slow.on = true;
    let handled = 0;

    await queue.consume(topic, () => {
      handled++;
    });
    await clock.advance(3_600_000);

    expect(handled).toBe(256);
    expect(await queue.admin.deadLetters(topic).count()).toBe(0);
    await queue.close();
    expect(clock.pending).toBe(0);
  });

  it.each(['none', 'key'] as const)(
    'one that never answers on receipt stops no neighbour and no close (ordering: %s)',
    async (ordering) => {
      const clock = new VirtualClock();
      const slow = { on: false };
      const topic = defineTopic('slow', { schema: slowSchema(clock, 10, slow), ordering });
      const queue = await openQueue(memory({ clock }), { topics: [topic] });
      await queue.publish(topic, 'stuck', { key: 'stuck' });
      for (let n = 0; n < 5; n++) await queue.publish(topic, n, { key: 'fine' });
      slow.on = true;
      const seen: unknown[] = [];

      await queue.consume(topic, ({ message }) => {
        seen.push(message.body);
      });
      await clock.advance(1_000);
      const closing = queue.close({ deadlineMs: 1_000 });
      await clock.advance(1_000);
      await closing;

      expect(seen).toEqual([0, 1, 2, 3, 4]);
      expect(clock.pending).toBe(0);
    },
  );
});
