import { defineTopic, openQueue, QueueError, VirtualClock } from 'signalbox';
import { memory } from 'signalbox/memory';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const steps = defineTopic('steps', { schema: z.object({ step: z.number() }) });

describe('closing a queue', () => {
  it('lets a handler that is still running publish what it needs, and refuses publishes afterwards', async () => {
    const clock = new VirtualClock();
    const driver = memory({ clock });
    const queue = await openQueue(driver, { topics: [steps] });
    let goOn = (): void => {};
    await queue.consume(steps, async ({ message }) => {
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
      await queue.publish(steps, { step: message.body.step + 1 });
    });
    await queue.publish(steps, { step: 1 });
    await clock.advance(0);
    const failures: unknown[] = [];
    queue.events.on('handler-failed', ({ error }) => failures.push(error));

    const closing = queue.close();
    goOn();
    await clock.advance(0);
    await closing;

    expect(failures).toEqual([]);
    await expect(queue.publish(steps, { step: 9 })).rejects.toThrow(QueueError);
    expect(clock.pending).toBe(0);
  });
});
