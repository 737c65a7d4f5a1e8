// What cannot be declared or reached says what it is, and in the broker's own words why.
import { connect } from 'amqplib';
import { openQueue } from 'signalbox';
import { type AmqpOptions, amqp } from 'signalbox/amqp';
import { beforeAll, expect, test } from 'vitest';
import { jobTopic } from '../../jobs.js';
import { describeServers } from '../../servers/index.js';

await describeServers(['rabbitmq'], (_, server) => {
  let url: string;
  beforeAll(async () => {
    url = await server().freshUrl();
  });

  async function refusal(mapping: NonNullable<AmqpOptions['topics']>[string]): Promise<unknown> {
    const topic = jobTopic();
    return openQueue(amqp({ url, topics: { [topic.name]: mapping } }), { topics: [topic] }).then(
      (queue) => queue.close(),
      (error: unknown) => error,
    );
  }

  test('an exchange of a kind that the broker does not know', async () => {
    expect(
      await refusal({
        exchange: { name: 'odd', type: 'x-nope' },
        groups: { default: { queue: 'odd', bindings: [{ routingKey: 'x' }] } },
      }),
    ).toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/exchange "odd".*unknown exchange type 'x-nope'.*; mend its kind/s),
    });
  });

  test('a queue with an argument that the broker does not take', async () => {
    const queue = { queue: 'odd-argument', arguments: { 'x-max-length': 'many' } };
    expect(await refusal({ exchange: { name: 'fine', type: 'direct' }, groups: { default: queue } })).toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/queue "odd-argument".*x-max-length/s),
    });
  });

  test('a name that the broker keeps for itself', async () => {
    expect(
      await refusal({ exchange: { name: 'amq.new', type: 'direct' }, groups: { default: { queue: 'new' } } }),
    ).toMatchObject({
      code: 'denied',
      message: expect.stringMatching(/exchange "amq.new".*reserved prefix.*use another name/s),
    });
  });

  test('a queue that another connection has to itself', async () => {
    const other = await connect(url);
    await (await other.createChannel()).assertQueue('theirs', { exclusive: true });
    const queue = { queue: 'theirs', exclusive: true, durable: false };

    expect(await refusal({ exchange: { name: 'shared', type: 'direct' }, groups: { default: queue } })).toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(/queue "theirs" is exclusive to another connection; close/),
    });
    await other.close();
  });

  test('a mapping of a topic that nobody has is told once, in the log', async () => {
    const [mine, theirs] = [jobTopic(), jobTopic()];
    const mapping = Object.fromEntries(
      [mine.name, theirs.name, 'misspelt'].map((name) => [
        name,
        { exchange: `${name}.x`, groups: { default: `${name}.q` } },
      ]),
    );
    const told: unknown[] = [];
    const logger = {
      info: () => {},
      warn: (fields: object) => void ('mapped' in fields && told.push(fields.mapped)),
    };
    const other = await openQueue(amqp({ url, topics: mapping }), { topics: [theirs] });
    await using queue = await openQueue(amqp({ url, topics: mapping }), { topics: [mine], logger });

    await queue.setup();

    expect(told).toEqual([['misspelt']]);
    await other.close();
  });

  test('a broker that is not there is named, without the password', async () => {
    const error: unknown = await openQueue('amqp://guest:secret-word@127.0.0.1:1/', { topics: [] }).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/127\.0\.0\.1:1.*ECONNREFUSED/),
    });
    expect(String(error)).not.toContain('secret-word');
  });
});
