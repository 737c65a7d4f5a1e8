import type { ConsumeMessage } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { encodeLightLetter } from '../../src/queue/amqp/letter-coding.js';
import {
  copyOf,
  decodeCounts,
  decodeMessage,
  encodeMessage,
  redeliveriesOf,
} from '../../src/queue/amqp/message-coding.js';
import { deathOf } from '../../src/queue/dead-letter.js';
import { freshCounts, type StoredMessage } from '../../src/queue/driver.js';

const message: StoredMessage = {
  id: 'm1',
  topic: 'jobs',
  key: 'k',
  routingKey: '',
  headers: {
    plain: 'v',
    CC: 'not a route',
    'x-death': 'not the broker',
    ['n'.repeat(300)]: 'long',
    ['__proto__']: 'own',
  },
  body: Buffer.from('{}'),
  publishedAt: 1_700_000_000_000.25,
  format: 1,
};

describe('a message in AMQP', () => {
  it('is read as it was written, whatever its headers are called', () => {
    const { body, properties } = encodeMessage(message, 3, { attempt: 2, postpones: 1, firstFailedAt: 7 });

    const arrived = arrival(body, properties);
    expect(decodeMessage('jobs', arrived)).toEqual(message);
    expect(decodeCounts(arrived)).toEqual({ attempt: 2, postpones: 1, firstFailedAt: 7 });
  });

  it('has no header that would route it, or that the broker counts in', () => {
    const { properties } = encodeMessage(message, 0, freshCounts);

    expect(Object.keys(properties.headers).filter((name) => /^(cc|bcc|x-(?!signalbox-))/i.test(name))).toEqual([]);
    expect(Object.keys(properties.headers).every((name) => Buffer.byteLength(name) <= 255)).toBe(true);
  });

  it('that is dead and too large for its stack alone says no more than that', () => {
    const death = deathOf({
      ...{ cause: 'rejected', reason: new Error('broken'), redeliveries: 0, now: 7, origin: 'test' },
      ...{ attempt: 1, postpones: 0, firstFailedAt: null },
    });
    const burial = { topic: 'jobs', group: 'default', death, expireAfterMs: null, buriedAt: 7 };

    const { properties } = encodeLightLetter(encodeMessage(message, 0, freshCounts), burial);

    expect(properties.headers).toMatchObject({ plain: 'v', 'x-signalbox-key': 'k' });
    expect(JSON.parse(String(properties.headers['x-signalbox-death']))).toMatchObject({
      reason: 'broken',
      error: { message: 'broken', stack: null },
    });
  });

  it('that is copied has no name that AMQP cannot say, however deep', () => {
    // What was no UTF-8 has grown by being read.
    const grown = '\u{fffd}'.repeat(100);
    const foreign = arrival(Buffer.from(''), {
      headers: { [grown]: 1, table: { [grown]: 2, list: [{ [grown]: 3, kept: 4 }] } },
    });

    expect(copyOf(foreign, freshCounts).properties.headers).toEqual({ table: { list: [{ kept: 4 }] } });
  });

  it('that is copied keeps what a stranger wrote, and leaves behind what the broker did', () => {
    const foreign = arrival(
      Buffer.from('text'),
      { contentType: 'text/plain', correlationId: 'c', headers: { mine: 5, 'x-death': [{}], 'x-delivery-count': 4 } },
      { exchange: 'signalbox.to.jobs', routingKey: 'a.b' },
    );

    const { body, properties } = copyOf(foreign, { attempt: 2, postpones: 0, firstFailedAt: 9 });
    const again = arrival(body, properties, { exchange: '', routingKey: 'the queue' });

    expect(properties).toMatchObject({ contentType: 'text/plain', correlationId: 'c', persistent: true });
    expect(properties.headers).not.toHaveProperty('x-death');
    expect(properties.headers).not.toHaveProperty('x-delivery-count');
    const { id, format, routingKey, headers } = decodeMessage('jobs', again);
    expect({ id, format, routingKey, headers }).toEqual({
      id: null,
      format: null,
      routingKey: 'a.b',
      headers: { mine: '5' },
    });
    expect(decodeCounts(again).attempt).toBe(2);
  });

  it('that is copied has nothing that would route it again, and is read as before', () => {
    const foreign = arrival(Buffer.from('1'), { headers: { CC: ['a', 'b'], BCC: ['c'], cc: 'no route' } });

    const { body, properties } = copyOf(foreign, freshCounts);
    const again = copyOf(arrival(body, properties), freshCounts);

    expect(properties.headers).not.toHaveProperty('CC');
    expect(properties.headers).not.toHaveProperty('BCC');
    expect(again).toEqual({ body, properties });
    const { headers } = decodeMessage('jobs', foreign);
    expect(headers).toEqual({ CC: '["a","b"]', BCC: '["c"]', cc: 'no route' });
    expect(decodeMessage('jobs', arrival(body, properties)).headers).toEqual(headers);
  });

  it('that is copied can be written, whatever could be read', () => {
    let deep: unknown = 'end';
    for (let n = 0; n < 20_000; n++) deep = [deep];
    const foreign = arrival(Buffer.from('1'), {
      correlationId: '\uFFFD'.repeat(200),
      timestamp: 2 ** 64,
      headers: {
        least: -1e300,
        late: { '!': 'timestamp', value: 2 ** 64 },
        price: { '!': 'decimal', value: { places: 2, digits: 5 } },
        alike: [{ '!': 'foo', value: 1 }, { '!': 'decimal' }],
        deep,
        ['\uFFFD'.repeat(200)]: 'long',
      },
    });

    const { properties } = copyOf(foreign, freshCounts);

    expect(properties).toMatchObject({ timestamp: 2 ** 64 - 2_048 });
    expect(properties).not.toHaveProperty('correlationId');
    const { deep: flattened, ...headers } = properties.headers;
    expect(headers).toEqual({
      least: -1e300,
      late: { '!': 'timestamp', value: 2 ** 64 - 2_048 },
      price: { '!': 'decimal', value: { places: 2, digits: 5 } },
      alike: ['{"!":"foo","value":1}', '{"!":"decimal"}'],
    });
    expect((flattened as unknown[]).flat(Number.POSITIVE_INFINITY)).toEqual(['']);
    expect(decodeMessage('jobs', foreign).headers).toMatchObject({ deep: '', least: '-1e+300' });
  });

  it.each([
    [
      'RabbitMQ 4, where what nobody looked at was given back',
      { 'x-acquired-count': 3, 'x-delivery-count': 1 },
      true,
      1,
    ],
    ['RabbitMQ 3.10', { 'x-delivery-count': 2 }, true, 2],
    ['a classic queue', {}, true, 1],
    ['a first delivery', {}, false, 0],
  ])('tells how often it was handed out before: %s', (_, headers, redelivered, expected) => {
    expect(redeliveriesOf(arrival(Buffer.alloc(0), { headers }, { redelivered }))).toBe(expected);
  });
});

function arrival(content: Buffer, properties: object, fields: object = {}): ConsumeMessage {
  return {
    content,
    properties,
    fields: { exchange: '', routingKey: '', redelivered: false, deliveryTag: 1, ...fields },
  } as ConsumeMessage;
}
