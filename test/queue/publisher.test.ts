import type { StandardSchemaV1 } from '@standard-schema/spec';
import { defineTopic, openQueue, VirtualClock } from 'signalbox';
import { memory } from 'signalbox/memory';
import { describe, expect, it } from 'vitest';

type Body = { readonly n: number; readonly checkMs?: number };

const clock = new VirtualClock();

/** Checks some bodies at once, others after a while: as a union of synchronous and asynchronous branches does. */
const sometimesLate: StandardSchemaV1<Body> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => {
      const body = value as Body;
      const result = body.n < 0 ? { issues: [{ message: 'negative' }] } : { value: body };
      if (body.checkMs === undefined) return result;
      return new Promise((resolve) => clock.schedule(() => resolve(result), body.checkMs ?? 0));
    },
  },
};
const steps = defineTopic('steps', { schema: sometimesLate, ordering: 'key' });

describe('publishes of one publisher', () => {
  it.each<[string, readonly Body[]]>([
    ['late, at once', [{ n: 1, checkMs: 5 }, { n: 2 }, { n: 3 }]],
    ['late, sooner, at once', [{ n: 1, checkMs: 50 }, { n: 2, checkMs: 5 }, { n: 3 }]],
    ['at once, late, at once', [{ n: 1 }, { n: 2, checkMs: 0 }, { n: 3 }]],
    ['late and bad, at once', [{ n: -1, checkMs: 5 }, { n: 2 }, { n: 3, checkMs: 1 }]],
    ['late, bad at once, late', [{ n: 1, checkMs: 5 }, { n: -2 }, { n: 3, checkMs: 1 }, { n: 4 }]],
  ])('keep their order, however long each is checked: %s', async (_, bodies) => {
    const driver = memory({ clock });
    const sent: number[] = [];
    const send = driver.send.bind(driver);
    driver.send = (batch, within) => {
      for (const { message } of batch) sent.push((JSON.parse(Buffer.from(message.body).toString()) as Body).n);
      return send(batch, within);
    };
    const queue = await openQueue(driver, { topics: [steps] });

    const published = Promise.allSettled(bodies.map((body) => queue.publish(steps, body, { key: 'k' })));
    await clock.advance(100);
    const after = queue.publish(steps, { n: 9 }, { key: 'k' });
    await clock.advance(0);

    expect(sent).toEqual([...bodies.map(({ n }) => n).filter((n) => n > 0), 9]);
    expect((await published).map(({ status }) => status)).toEqual(
      bodies.map(({ n }) => (n < 0 ? 'rejected' : 'fulfilled')),
    );
    await after;
    await queue.close();
    expect(clock.pending).toBe(0);
  });

  it('that were aborted while they were checked are not sent', async () => {
    const queue = await openQueue(memory({ clock }), { topics: [steps] });
    const giveUp = new AbortController();

    const published = queue.publish(steps, { n: 1, checkMs: 10 }, { signal: giveUp.signal });
    const outcome = expect(published).rejects.toMatchObject({ code: 'aborted', outcomeUnknown: false });
    giveUp.abort();
    await clock.advance(10);

    await outcome;
    expect(await queue.admin.depth(steps)).toMatchObject({ ready: 0 });
    await queue.close();
  });

  it('that were aborted under way have an unknown outcome, and leave no listener on the signal', async () => {
    const driver = memory({ clock });
    const send = driver.send.bind(driver);
    driver.send = async (batch) => {
      await new Promise<void>((resolve) => clock.schedule(resolve, 100));
      return send(batch);
    };
    const queue = await openQueue(driver, { topics: [steps] });
    const giveUp = new AbortController();
    const listeners = { added: 0, removed: 0 };
    const { addEventListener, removeEventListener } = giveUp.signal;
    giveUp.signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners.added++;
      addEventListener.apply(giveUp.signal, args);
    };
    giveUp.signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners.removed++;
      removeEventListener.apply(giveUp.signal, args);
    };

    await Promise.all([clock.advance(100), queue.publish(steps, { n: 1 }, { signal: giveUp.signal })]);
    expect(listeners).toEqual({ added: 1, removed: 1 });
    const aborted = expect(queue.publish(steps, { n: 2 }, { signal: giveUp.signal })).rejects.toMatchObject({
      code: 'aborted',
      outcomeUnknown: true,
    });
    await clock.advance(50);
    giveUp.abort();
    await clock.advance(50);

    await aborted;
    await queue.close();
    expect(clock.pending).toBe(0);
  });
});
