// Messages that another program wrote: with headers that route, with headers that look like ours, with everything that AMQP has.
import { defineTopic, openQueue, type Queue } from 'signalbox';
import { amqp } from 'signalbox/amqp';
import { expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { describeServers } from '../../servers/index.js';
import { eventually } from '../connection/eventually.js';
import { type PlainProgram, plainProgram } from './plain-program.js';

vi.setConfig({ testTimeout: 60_000 });

const jobs = defineTopic('jobs', { schema: z.any(), maxAttempts: 5 });

/** A queue that is published to directly, and the dead letters of it. */
const topics = {
  jobs: { exchange: null, groups: { default: { queue: 'jobs.q', deadLetters: { queue: 'jobs.dlq' } } } },
};

const letters = (queue: Queue) => queue.admin.deadLetters(jobs);

await describeServers(['rabbitmq'], (_, server) => {
  async function opened(): Promise<{ readonly queue: Queue; readonly program: PlainProgram }> {
    const url = await server().freshUrl();
    const queue = await openQueue(amqp({ url, topics }), { topics: [jobs] });
    onTestFinished(() => queue.close({ deadlineMs: 0 }));
    return { queue, program: await plainProgram(url) };
  }

  test('where to a message was sent beside its queue is for that one publish: no copy of it goes there again, and handlers see it each time', async () => {
    const { queue, program } = await opened();
    await program.channel.assertQueue('audit.q');
    const seen: string[] = [];
    await queue.consume(jobs, async (delivery) => {
      const { postpones, attempt, message } = delivery;
      seen.push(`${postpones} ${attempt} ${message.headers.CC}`);
      if (seen.length > 4) return;
      if (postpones === 0) await delivery.postpone(150);
      else if (attempt < 3) await delivery.nack(attempt === 1 ? 0 : 120);
      else await delivery.reject('no');
    });

    await program.publish('', 'jobs.q', 1, { headers: { CC: ['jobs.q', 'audit.q'] } });
    const [letter] = await eventually('a letter', async () => {
      const found = (await letters(queue).list()).letters;
      return found.length > 0 && found;
    });
    expect(letter?.headers).toEqual({ CC: '["jobs.q","audit.q"]' });
    expect(await letters(queue).redrive('all')).toBe(1);
    await eventually('it is redriven', () => seen.length >= 5);
    await queue.close();

    const cc = '["jobs.q","audit.q"]';
    expect(seen).toEqual([`0 1 ${cc}`, `1 1 ${cc}`, `1 2 ${cc}`, `1 3 ${cc}`, `0 1 ${cc}`]);
    expect(await program.ready('jobs.q')).toBe(0);
    expect(await program.ready('audit.q')).toBe(1);
  });
});
