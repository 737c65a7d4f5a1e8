import { defineTopic, openQueue, PermanentError, VirtualClock } from 'signalbox';
import { memory } from 'signalbox/memory';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const greetings = defineTopic('greetings', { schema: z.object({ name: z.string() }) });

describe('the first steps', () => {
  it('a message published with a delay is consumed, retried with back-off, and in the end a dead letter', async () => {
    const clock = new VirtualClock();
    const queue = await openQueue(memory({ clock }), { topics: [greetings], random: () => 0.5 });
    const seen: string[] = [];
    await queue.consume(greetings, async ({ message, attempt }) => {
      seen.push(`${message.body.name} ${attempt} at ${clock.now() - Date.UTC(2026, 0, 1)}`);
      if (message.body.name === 'poison') throw new PermanentError('no');
      if (message.body.name === 'flaky') throw new Error('again');
    });

    await queue.publish(greetings, { name: 'Ada' });
    await queue.publishAfter(greetings, { name: 'flaky' }, 250);
    await queue.publish(greetings, { name: 'poison' });
    await clock.advance(60_000);

    expect(seen).toEqual([
      'Ada 1 at 0',
      'poison 1 at 0',
      'flaky 1 at 250',
      'flaky 2 at 1250',
      'flaky 3 at 3250',
      'flaky 4 at 7250',
      'flaky 5 at 15250',
    ]);
    const { letters } = await queue.admin.deadLetters(greetings).list();
    expect(letters.map(({ death }) => [death?.cause, death?.reason, death?.attempt])).toEqual([
      ['rejected', 'no', 1],
      ['attempts-exhausted', 'again', 5],
    ]);
    await queue.close();
    expect(clock.pending).toBe(0);
  });
});
