// Messages that another program wrote: with headers that route, with headers that look like ours, with everything that AMQP has.
import type { GetMessage, Options } from 'amqplib';
import { defineTopic, openQueue, type Queue } from 'signalbox';
import { amqp } from 'signalbox/amqp';
import { expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { describeServers } from '../../servers/index.js';
import { eventually } from '../connection/eventually.js';
import { testLink } from '../connection/test-link.js';
import { type PlainProgram, plainProgram } from './plain-program.js';

vi.setConfig({ testTimeout: 60_000 });

const jobs = defineTopic('jobs', { schema: z.any(), maxAttempts: 5 });

/** A queue that is published to directly, and the dead letters of it. */
const topics = {
  jobs: { exchange: null, groups: { default: { queue: 'jobs.q', deadLetters: { queue: 'jobs.dlq' } } } },
};

const letters = (queue: Queue) => queue.admin.deadLetters(jobs);

await describeServers(['rabbitmq'], (_, server) => {
  async function opened(): Promise<{ readonly url: string; readonly queue: Queue; readonly program: PlainProgram }> {
    const url = await server().freshUrl();
    const queue = await openQueue(amqp({ url, topics }), { topics: [jobs] });
    onTestFinished(() => queue.close({ deadlineMs: 0 }));
    return { url, queue, program: await plainProgram(url) };
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

  test.each([
    ['throw', 'big'],
    ['postpone', 'big'],
    ['reject', 'big'],
    ['reject', 'x-signalbox-key'],
    ['reject', 'x-signalbox-of-somebody-else'],
  ] as const)(
    'a message whose headers fill a frame is a dead letter without them when it has to %s, and its neighbours flow: %s',
    async (how, name) => {
      const { url, queue, program } = await opened();
      const { link } = await testLink(url);
      const [seen, subscriptions]: [unknown[], string[]] = [[], []];
      queue.events.on('resubscribed', ({ consumer }) => subscriptions.push(consumer));
      await queue.consume(jobs, async (delivery) => {
        seen.push(delivery.message.body);
        if (delivery.message.body !== 'full') return;
        if (how === 'postpone') await delivery.postpone(100);
        if (how === 'reject') await delivery.reject('no');
        throw new Error('broken');
      });

      const headers = { small: 's', [name]: 'x'.repeat(131_000 - name.length) };
      const properties = { persistent: true, headers };
      await link.publish({ exchange: '', routingKey: 'jobs.q', body: Buffer.from('"full"'), properties });
      const [letter] = await eventually('a letter', async () => {
        const found = (await letters(queue).list()).letters;
        return found.length > 0 && found;
      });
      await program.publish('', 'jobs.q', 'neighbour', {});
      await eventually('it flows', () => seen.includes('neighbour'));

      expect(letter).toMatchObject({ bodyText: '"full"', headers: { small: 's' } });
      expect(letter?.death?.reason).toMatch(` (left out, because they fit no frame beside this: ${name})`);
      expect([seen, subscriptions]).toEqual([['full', 'neighbour'], []]);
    },
  );

  test('headers of ours that nobody of us wrote: what cannot be read is a dead letter with the reason, what is of another type is as if it were not there, and neighbours flow', async () => {
    const { queue, program } = await opened();
    const wrongTypes = {
      'x-signalbox-envelope': 'z 1e300 x',
      'x-signalbox-attempt': -5,
      'x-signalbox-postpones': 1.5,
      'x-signalbox-first-failed-at': { a: 1 },
      'x-signalbox-key': 5,
      'x-signalbox-routing-key': [1],
      'x-signalbox-lane': -1,
    };
    const headersOf: Record<number, object> = {
      2: { 'x-signalbox-headers': 'garbage', trace: 'a' },
      4: { 'x-signalbox-headers': '5' },
      5: { 'x-signalbox-headers': 5 },
      6: { 'x-signalbox-headers': '[["a",1]]' },
      8: wrongTypes,
    };
    for (let n = 0; n < 10; n++) await program.publish('', 'jobs.q', n, { headers: headersOf[n] });
    const seen: unknown[] = [];

    await queue.consume(jobs, async ({ message, attempt, postpones }) => {
      const { key, routingKey, publishedAt, headers } = message;
      seen.push({ n: message.body, attempt, postpones, key, routingKey, publishedAt, headers });
    });

    await eventually('those that can be read are handled', () => seen.length === 6);
    const plain = { attempt: 1, postpones: 0, key: null, routingKey: null, publishedAt: null, headers: {} };
    expect(seen).toEqual([0, 1, 3, 7, 8, 9].map((n) => ({ n, ...plain })));
    await eventually('the others are dead', async () => (await letters(queue).count()) === 4);
    const [first, ...others] = (await letters(queue).list()).letters;
    expect(first).toMatchObject({
      headers: { 'x-signalbox-headers': 'garbage', trace: 'a' },
      death: { cause: 'undecodable', reason: 'its header "x-signalbox-headers" is not JSON of pairs of texts' },
    });
    expect(others.map(({ bodyText, death }) => [bodyText, death?.cause])).toEqual(
      [4, 5, 6].map((n) => [`${n}`, 'undecodable']),
    );
  });

  test('what another program put where delays end is a lost letter, unless it says where it goes', async () => {
    const { queue, program } = await opened();
    const seen: unknown[] = [];
    await queue.consume(jobs, async ({ message }) => {
      seen.push(message.body);
    });
    const hop = {
      'x-signalbox-rest-ms': 0,
      'x-signalbox-to-exchange': '',
      'x-signalbox-to-routing-key': 'jobs.q',
      'x-signalbox-topic': 'jobs',
      'x-signalbox-groups': '["default"]',
    };

    const odd = ['garbage', 'null', '[]', '{"length":1}', '[5]', 5];
    for (const groups of odd) {
      await program.publish('', 'signalbox.due', 'odd', { headers: { ...hop, 'x-signalbox-groups': groups } });
    }
    const far = { ...hop, 'x-signalbox-to-routing-key': 'k'.repeat(256) };
    await program.publish('', 'signalbox.due', 'far', { headers: far });
    await program.publish('', 'signalbox.due', 'bare');
    await program.publish('', 'signalbox.due', 'whole', { headers: hop });
    await queue.publishAfter(jobs, 'delayed', 150);

    await eventually('what is whole arrives', () => seen.length === 2);
    expect(seen).toEqual(['whole', 'delayed']);
    const lost = await eventually('the others are lost letters', async () => {
      const found = (await queue.admin.lostLetters.list()).letters;
      return found.length === odd.length + 2 && found;
    });
    expect(new Set(lost.map(({ bodyText }) => bodyText))).toEqual(new Set(['"odd"', '"far"', '"bare"']));
  });

  /** All that a sender may set and a copy may keep, with every type of a header that survives JavaScript. */
  const written: Options.Publish = {
    contentType: 'application/vnd.x+json',
    contentEncoding: 'utf-8',
    correlationId: 'c',
    replyTo: 'reply.q',
    type: 'T',
    appId: 'app',
    timestamp: 1_700_000_000,
    priority: 3,
    headers: {
      text: 'a',
      integer: 5,
      big: 2 ** 52 + 1,
      real: 1.5,
      negative: { '!': 'double', value: -1e300 },
      flag: true,
      nothing: null,
      bytes: Buffer.from([1, 2, 255]),
      at: { '!': 'timestamp', value: 1_700_000_000 },
      price: { '!': 'decimal', value: { places: 2, digits: 199 } },
      table: { list: [1, { deep: 'b' }], at: { '!': 'timestamp', value: 5 } },
      'x-foo': 'bar',
    },
  };

  test('a dead letter of a foreign message is the message as its sender wrote it, and so is what is redriven', async () => {
    const { queue, program } = await opened();
    await program.publish('', 'jobs.q', { n: 1 }, written);
    const arrived = await program.next('jobs.q');
    expect(ofSender(arrived)).toMatchObject({
      correlationId: 'c',
      priority: 3,
      headers: { integer: 5, 'x-foo': 'bar' },
    });
    const ids: string[] = [];
    const consumer = await queue.consume(jobs, async (delivery) => {
      ids.push(delivery.message.id);
      if (delivery.attempt === 1) await delivery.nack(0);
      else await delivery.reject('no');
    });

    await program.publish('', 'jobs.q', { n: 1 }, written);

    const [letter] = await eventually('a letter', async () => {
      const found = (await letters(queue).list()).letters;
      return found.length > 0 && found;
    });
    await consumer.close();
    expect(letter).toMatchObject({ id: ids[0], headers: { 'x-foo': 'bar', integer: '5' }, death: { attempt: 2 } });
    const buried = await program.next('jobs.dlq');
    expect(ofSender(buried)).toEqual(ofSender(arrived));

    // Put back as it lay there.
    await program.publish('', 'jobs.dlq', { n: 1 }, { ...written, headers: { ...written.headers, ...oursOf(buried) } });
    expect(await letters(queue).redrive([ids[0] ?? ''])).toBe(1);
    expect(ofSender(await program.next('jobs.q'))).toEqual(ofSender(arrived));
  });

  test('one dead letter whose notes somebody else wrote is shown without them, and stops none of the others', async () => {
    const { queue, program } = await opened();
    const deaths = ['garbage', '5', '{"cause":"rejected"}', 7];
    for (const [n, death] of deaths.entries()) {
      await program.publish('', 'jobs.dlq', n, { headers: { 'x-signalbox-death': death } });
    }
    await program.publish('', 'jobs.dlq', 4, { headers: { 'x-signalbox-headers': 'garbage', 'x-signalbox-lane': -3 } });
    await program.publish('', 'jobs.dlq', 5, { headers: { 'x-signalbox-buried-at': 1e300 } });

    const found = (await letters(queue).list()).letters;

    expect(found.map(({ bodyText }) => bodyText)).toEqual(['0', '1', '2', '3', '4', '5']);
    for (const { death } of found) {
      expect(death).toMatchObject({ cause: 'rejected', reason: 'another program put it here', attempt: 1 });
    }
    expect(await letters(queue).count()).toBe(6);
    expect(await letters(queue).redrive('all')).toBe(6);
    expect(await program.ready('jobs.q')).toBe(6);
  });
});

/** Without what is ours or the broker's. */
function ofSender({ content, properties }: GetMessage): object {
  const { headers, deliveryMode, ...rest } = properties;
  const theirs = Object.entries(headers ?? {}).filter(([name]) => !name.startsWith('x-signalbox-'));
  return { ...rest, deliveryMode, headers: Object.fromEntries(theirs), body: content.toString() };
}

function oursOf({ properties }: GetMessage): object {
  const ours = Object.entries(properties.headers ?? {}).filter(([name]) => name.startsWith('x-signalbox-'));
  return Object.fromEntries(ours);
}
