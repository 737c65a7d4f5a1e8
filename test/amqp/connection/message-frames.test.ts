import { randomUUID } from 'node:crypto';
import { type ChannelModel, connect, type Message, type Options } from 'amqplib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { FrameBytes } from '../../../src/queue/amqp/connection/frame-bytes.js';
import { writeMessage } from '../../../src/queue/amqp/connection/message-frames.js';
import { describeServers } from '../../servers/index.js';
import { declareQueue, testLink } from './test-link.js';

const name = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }).filter((text) => text !== '__proto__');
const text = fc.string({ maxLength: 120, unit: 'grapheme' });
const number = fc.oneof(
  fc.integer({ min: -40_000, max: 40_000 }),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e300 }),
);
const tagged = fc.oneof(
  fc.oneof(fc.maxSafeNat(), fc.constant(2 ** 64 - 2_048)).map((value) => ({ '!': 'timestamp', value })),
  fc.record({ places: fc.nat(255), digits: fc.nat(0xffff_ffff) }).map((value) => ({ '!': 'decimal', value })),
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    text,
    number,
    tagged,
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(name, tie('value'), { maxKeys: 4 }),
  ),
}));
/** Those that RabbitMQ routes by, or refuses where they are no lists, are not among them. */
const headers = fc.dictionary(
  name.filter((each) => !/^(b?cc|x-.*)$/i.test(each)),
  value,
  { maxKeys: 8 },
);
const properties = fc.record(
  {
    contentType: text,
    contentEncoding: text,
    headers,
    persistent: fc.constant(true),
    priority: fc.nat(255),
    correlationId: text,
    replyTo: text,
    messageId: text,
    timestamp: fc.maxSafeNat(),
    type: text,
    appId: text,
  },
  { requiredKeys: [] },
);

await describeServers(['rabbitmq'], (_, server) => {
  let plain: ChannelModel;
  let queue: string;

  beforeEach(async () => {
    plain = await connect(server().url);
    queue = `frames.${randomUUID()}`;
  });

  afterEach(async () => {
    const channel = await plain.createChannel();
    await channel.deleteQueue(queue);
    await plain.close();
  });

  test('a message arrives as if amqplib had sent it', async () => {
    const { link } = await testLink(server().url);
    await declareQueue(link, queue);
    const channel = await plain.createConfirmChannel();
    const arrived = async (): Promise<unknown> => {
      const message = await channel.get(queue, { noAck: true });
      return message === false ? null : content(message);
    };

    await fc.assert(
      fc.asyncProperty(properties, fc.uint8Array({ maxLength: 300 }), async (given, bytes) => {
        const body = Buffer.from(bytes);
        channel.sendToQueue(queue, body, given as Options.Publish);
        await channel.waitForConfirms();
        await link.publish({ exchange: '', routingKey: queue, body, properties: given });

        const theirs = await arrived();
        expect(await arrived()).toEqual(theirs);
      }),
      { numRuns: 300 },
    );
  });

  test.each([0, 1, 131_064, 131_065, 1_000_000])('a body of %i bytes arrives whole', async (length) => {
    const { link } = await testLink(server().url);
    await declareQueue(link, queue);
    const body = Buffer.from(Array.from({ length }, (_each, index) => index % 251));

    await link.publish({ exchange: '', routingKey: queue, body, properties: {} });
    await link.publish({ exchange: '', routingKey: queue, body: Buffer.from('next'), properties: {} });

    const channel = await plain.createChannel();
    const [first, second] = [await channel.get(queue, { noAck: true }), await channel.get(queue, { noAck: true })];
    expect(first !== false && first.content.equals(body)).toBe(true);
    expect(second !== false && second.content.toString()).toBe('next');
  });

  test('headers of more than 64 KiB arrive, which amqplib cannot send', async () => {
    const { link } = await testLink(server().url);
    await declareQueue(link, queue);
    const long = 'ü'.repeat(50_000);

    await link.publish({ exchange: '', routingKey: queue, body: Buffer.alloc(0), properties: { headers: { long } } });

    const channel = await plain.createChannel();
    const message = await channel.get(queue, { noAck: true });
    expect(message !== false && message.properties.headers?.long).toBe(long);
  });
});

function content({ content: bytes, properties: given }: Message): unknown {
  return { bytes, ...given };
}

describe('what AMQP cannot say', () => {
  const publication = { exchange: '', routingKey: 'q', body: Buffer.from('x'), properties: {} };
  const write = (changed: object, frameMaxBytes = 131_072): void =>
    writeMessage(new FrameBytes(), 1, frameMaxBytes, { ...publication, ...changed });

  it.each([
    ['a long routing key', { routingKey: 'ü'.repeat(128) }, /has 256 bytes, and AMQP takes 255/],
    ['a long property', { properties: { messageId: 'x'.repeat(256) } }, /has 256 bytes/],
    ['a long name', { properties: { headers: { ['x'.repeat(256)]: 1 } } }, /has 256 bytes/],
    ['a bigint', { properties: { headers: { at: 1n } } }, /no bigint/],
    ['an unknown type', { properties: { headers: { at: { '!': 'date', value: 1 } } } }, /no type "date"/],
  ])('is refused: %s', (_, changed, words) => {
    expect(() => write(changed)).toThrow(words);
  });

  it('is refused, where headers are larger than a frame', () => {
    expect(() => write({ properties: { headers: { long: 'x'.repeat(4_060) } } }, 4_096)).not.toThrow();
    expect(() => write({ properties: { headers: { long: 'x'.repeat(4_061) } } }, 4_096)).toThrow(/frames 4096/);
  });
});
