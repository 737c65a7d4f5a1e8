import { defineTopic, openQueue, PermanentError, VirtualClock } from 'signalbox';
import { memory } from 'signalbox/memory';
import { expect, it } from 'vitest';
import { z } from 'zod';

const refuses = (): never => {
  throw new Error('not to be looked at');
};

/** What a handler may throw, and how the log calls it. */
const thrown: Readonly<Record<string, readonly [what: unknown, name: string]>> = {
  'an error whose name cannot be read': [
    Object.defineProperty(new Error('q'), 'name', { get: refuses }),
    '(something that has no text)',
  ],
  'an error whose name has no text': [
    Object.assign(new Error('q'), { name: Object.create(null) }),
    '(something that has no text)',
  ],
  'an error whose message and stack cannot be read': [
    Object.defineProperties(new Error('q'), { stack: { get: refuses }, message: { get: refuses } }),
    'Error',
  ],
  'a proxy that refuses every question': [new Proxy({}, { get: refuses, getPrototypeOf: refuses }), 'object'],
  'an object without text': [Object.create(null), 'object'],
  'a symbol': [Symbol('q'), 'symbol'],
  undefined: [undefined, 'undefined'],
  null: [null, 'object'],
};

it.each(Object.keys(thrown))('%s, thrown by a handler, is a failure like any other', async (kind) => {
  const [what, name] = thrown[kind] as (typeof thrown)[string];
  const jobs = defineTopic('jobs', { schema: z.string(), maxAttempts: 2, backoff: { initialMs: 1_000, jitter: 0 } });
  const clock = new VirtualClock();
  const logged: unknown[] = [];
  const logger = {
    info: ({ error }: Readonly<Record<string, unknown>>, message: string) =>
      message === 'a handler failed' ? logged.push(error) : null,
    warn() {},
  };
  await using queue = await openQueue(memory({ clock }), { topics: [jobs], logger });
  const seen: string[] = [];
  await queue.consume(
    jobs,
    ({ message, attempt }) => {
      seen.push(`${message.body} ${attempt}`);
      if (message.body === 'bad') throw what;
    },
    { concurrency: 1 },
  );

  await queue.publish(jobs, 'bad');
  await queue.publish(jobs, 'good');
  await clock.advance(1_000);

  expect(seen).toEqual(['bad 1', 'good 1', 'bad 2']);
  expect(logged).toEqual([name, name]);
  expect(await queue.admin.depth(jobs)).toMatchObject({ ready: 0, delayed: 0, inHand: 0, dead: 1 });
});

it('a PermanentError that says nothing of itself rejects all the same', async () => {
  const jobs = defineTopic('jobs', { schema: z.string() });
  const clock = new VirtualClock();
  await using queue = await openQueue(memory({ clock }), { topics: [jobs] });
  await queue.consume(jobs, () => {
    throw Object.defineProperties(new PermanentError('q'), { name: { get: refuses }, message: { get: refuses } });
  });

  await queue.publish(jobs, 'bad');
  await clock.advance(0);

  expect(await queue.admin.depth(jobs)).toMatchObject({ delayed: 0, inHand: 0, dead: 1 });
});

it('a random that throws keeps no message: its delivery can be settled in another way', async () => {
  const jobs = defineTopic('jobs', { schema: z.string() });
  await using queue = await openQueue(memory({ clock: new VirtualClock() }), { topics: [jobs], random: refuses });
  await queue.publish(jobs, 'x');
  for await (const delivery of queue.subscribe(jobs)) {
    await expect(delivery.nack()).rejects.toThrow('not to be looked at');
    await delivery.ack();
    break;
  }

  expect(await queue.admin.depth(jobs)).toMatchObject({ ready: 0, delayed: 0, inHand: 0, dead: 0 });
});
