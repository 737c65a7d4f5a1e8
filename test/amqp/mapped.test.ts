// What can be told of a mapping without a broker.
import { amqp, type MappedDeadLetters, type MappedQueue, type MappedTopic } from 'signalbox/amqp';
import { describe, expect, it } from 'vitest';
import { deadLetterKeys } from '../../src/queue/amqp/mapped/dead-letter-keys.js';
import { demandMappable } from '../../src/queue/amqp/mapped/demand-mappable.js';
import { demandOwnQueues, type ShapeWithGroups } from '../../src/queue/amqp/mapped/demand-own-queues.js';
import { demandPausable } from '../../src/queue/amqp/mapped/demand-pausable.js';
import { demandSameMapping } from '../../src/queue/amqp/mapped/demand-same-mapping.js';
import type { Mapping, QueueMapping } from '../../src/queue/amqp/mapped/mapped-topic.js';
import { mappingOfGroup } from '../../src/queue/amqp/mapped/mapping-of-group.js';
import { settingsOf } from '../../src/queue/amqp/options.js';

function mapped(name: string, groups: MappedTopic['groups']): ShapeWithGroups {
  const mapping = settingsOf({ topics: { [name]: { exchange: 'their', groups } } }).topics[name] ?? null;
  return { shape: { name, ordering: 'none', lanes: 1, mapping }, groups: Object.keys(groups) };
}

describe('a mapped queue holds one thing', () => {
  const dlq = (queue: string): Pick<MappedQueue, 'deadLetters'> => ({ deadLetters: { queue } });

  it.each([
    [
      'the letters of a group beside its messages',
      [mapped('jobs', { a: { queue: 'q', ...dlq('q') } })],
      /the dead letters of group "a" of topic "jobs" .* queue "q", which has the messages of group "a" of topic "jobs"/,
    ],
    [
      'the letters of two groups',
      [mapped('jobs', { a: { queue: 'q.a', ...dlq('dead') }, b: { queue: 'q.b', ...dlq('dead') } })],
      /the dead letters of group "b" .* queue "dead", which has the dead letters of group "a"/,
    ],
    [
      'the letters of two topics',
      [
        mapped('jobs', { a: { queue: 'q.a', ...dlq('dead') } }),
        mapped('events', { a: { queue: 'q.b', ...dlq('dead') } }),
      ],
      /the dead letters of group "a" of topic "events" .* which has the dead letters of group "a" of topic "jobs"/,
    ],
    [
      'the messages of two groups',
      [mapped('jobs', { a: 'q', b: 'q' })],
      /the messages of group "b" .* queue "q", which has the messages of group "a"/,
    ],
    [
      'the messages of two topics',
      [mapped('jobs', { a: 'q' }), mapped('events', { a: 'q' })],
      /the messages of group "a" of topic "events" .* which has the messages of group "a" of topic "jobs"/,
    ],
  ])('not %s', (_, topics, says) => {
    const [first] = topics as readonly ShapeWithGroups[];
    const all = () => demandOwnQueues(topics, []);
    // Declared by another program, or earlier.
    const besides = () => demandOwnQueues(topics.slice(1), first === undefined ? [] : [first]);

    expect(all).toThrow(expect.objectContaining({ code: 'unsupported', message: expect.stringMatching(says) }));
    if (topics.length > 1) expect(besides).toThrow(says);
  });

  it('and a queue each is well', () => {
    const jobs = mapped('jobs', {
      a: { queue: 'q.a', ...dlq('dead.a') },
      b: { queue: 'q.b', ...dlq('dead.b') },
      c: 'q.c',
    });

    expect(() =>
      demandOwnQueues([jobs, { shape: { name: 'ours', ordering: 'none', lanes: 1 }, groups: ['a'] }], []),
    ).not.toThrow();
  });

  it('what others have mapped wrongly among themselves is their trouble', () => {
    expect(() =>
      demandOwnQueues([mapped('jobs', { a: 'mine' })], [mapped('x', { a: 'q' }), mapped('y', { a: 'q' })]),
    ).not.toThrow();
  });
});

describe('a mapping', () => {
  const deadLetters = { queue: 'dead', exchange: 'dlx', routingKey: 'dead', expireAfterMs: 1_000 };

  it.each<[string, MappedQueue, RegExp]>([
    ['a stream', { queue: 'q', arguments: { 'x-queue-type': 'stream' } }, /a\.arguments\.x-queue-type .*type stream/],
    [
      'a stream of dead letters',
      { queue: 'q', deadLetters: { queue: 'dead', arguments: { 'x-queue-type': 'stream' } } },
      /a\.deadLetters\.arguments\.x-queue-type .*type stream/,
    ],
    [
      'two dead-letter exchanges',
      { queue: 'q', arguments: { 'x-dead-letter-exchange': 'mine' }, deadLetters },
      /a\.arguments\.x-dead-letter-exchange is said by deadLetters\.exchange as well/,
    ],
    [
      'two keys to dead-letter with',
      { queue: 'q', arguments: { 'x-dead-letter-routing-key': 'mine' }, deadLetters },
      /a\.arguments\.x-dead-letter-routing-key is said by deadLetters/,
    ],
    [
      'two times to live',
      { queue: 'q', deadLetters: { ...deadLetters, arguments: { 'x-message-ttl': 5 } } },
      /a\.deadLetters\.arguments\.x-message-ttl is said by expireAfterMs as well/,
    ],
  ])('cannot say %s', (_, a, says) => {
    const make = () => amqp({ topics: { jobs: { exchange: 'their', groups: { a } } } });

    expect(make).toThrow(expect.objectContaining({ code: 'invalid', message: expect.stringMatching(says) }));
  });

  it('can have the broker dead-letter through the default exchange, which has no name to map', () => {
    const arguments_ = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' };

    expect(() =>
      mapped('jobs', { a: { queue: 'q', arguments: arguments_, deadLetters: { queue: 'dead' } } }),
    ).not.toThrow();
  });

  it('for all groups has the group in all its texts', () => {
    const { shape } = mapped('jobs', {
      '*': {
        queue: 'q.{group}',
        arguments: { 'x-overflow': 'drop-{group}', 'x-max-length': 5 },
        bindings: [{ routingKey: '{group}.#', arguments: { for: '{group}' } }],
        deadLetters: {
          queue: 'dead.{group}',
          exchange: { name: 'dlx.{group}', type: 'direct', arguments: { 'alternate-exchange': 'else.{group}' } },
          routingKey: 'r.{group}',
          bindingKey: 'b.{group}',
          arguments: { 'x-dead-letter-exchange': 'on.{group}' },
        },
      },
    });

    expect(mappingOfGroup(shape.mapping as NonNullable<typeof shape.mapping>, '$&')).toMatchObject({
      queue: 'q.$&',
      arguments: { 'x-overflow': 'drop-$&', 'x-max-length': 5 },
      bindings: [{ routingKey: '$&.#', arguments: { for: '$&' } }],
      deadLetters: {
        queue: 'dead.$&',
        exchange: { name: 'dlx.$&', type: 'direct', arguments: { 'alternate-exchange': 'else.$&' } },
        routingKey: 'r.$&',
        bindingKey: 'b.$&',
        arguments: { 'x-dead-letter-exchange': 'on.$&' },
      },
    });
  });
});

describe('a dead-letter queue is bound with what is dead-lettered', () => {
  const all = ['#'];
  const dlx = (type: string, more: Partial<MappedDeadLetters> = {}): MappedDeadLetters => ({
    queue: 'dead',
    exchange: { name: 'dlx', type },
    ...more,
  });
  const mapping = (
    exchange: string | null,
    deadLetters: MappedDeadLetters,
    more: Partial<MappedQueue> = {},
  ): Mapping => {
    const topic: MappedTopic = {
      exchange: exchange === null ? null : { name: 'their', type: exchange },
      routingKey: 'v1',
      groups: { a: { queue: 'q', deadLetters, ...more } },
    };
    return settingsOf({ topics: { jobs: topic } }).topics.jobs as Mapping;
  };
  const of = (asked: Mapping) => mappingOfGroup(asked, 'a') as QueueMapping;

  it.each<[string, Mapping, readonly string[], readonly string[] | null]>([
    ['a fanout exchange', mapping('direct', dlx('fanout', { routingKey: 'r' })), all, ['']],
    ['a headers exchange', mapping('direct', dlx('headers')), all, ['']],
    ['a topic exchange', mapping('fanout', dlx('topic')), all, ['#']],
    ['a topic exchange, with a key of its own', mapping('fanout', dlx('topic', { routingKey: 'r' })), all, ['r']],
    ['a direct exchange, with a key of its own', mapping('fanout', dlx('direct', { routingKey: 'r' })), all, ['r']],
    ['a direct exchange, from a direct one', mapping('direct', dlx('direct')), all, ['v1', 'q']],
    ['a direct exchange, from literal patterns', mapping('topic', dlx('direct')), ['a.b', 'c'], ['a.b', 'c', 'q']],
    ['a direct exchange, from the queue alone', mapping(null, dlx('direct')), all, ['q']],
    ['a key that is given', mapping('fanout', dlx('direct', { bindingKey: '' })), all, ['']],
    ['nothing, where somebody else binds it', mapping('fanout', dlx('direct', { passive: true })), all, []],
    ['nothing, without an exchange', mapping('fanout', { queue: 'dead' }), all, []],
    ['nobody knows what: from patterns to direct', mapping('topic', dlx('direct')), ['a.*'], null],
    ['nobody knows what: from fanout to direct', mapping('fanout', dlx('direct')), all, null],
    ['nobody knows what: bound by somebody', mapping('direct', dlx('direct'), { passive: true }), all, null],
    ['nobody knows what: a type of a plugin', mapping('direct', dlx('x-random')), all, null],
  ])('%s', (_, asked, patterns, keys) => {
    const declare = () =>
      demandMappable(
        {
          name: 'jobs',
          ordering: 'none',
          lanes: 1,
          maxRedeliveries: 5,
          expectedDelaysMs: [],
          groups: [{ name: 'a', patterns }],
        },
        asked,
      );

    expect(deadLetterKeys(asked, of(asked), patterns)).toEqual(keys);
    if (keys !== null) return expect(declare).not.toThrow();
    expect(declare).toThrow(
      expect.objectContaining({
        code: 'invalid',
        message: expect.stringMatching(/group "a" .* exchange "dlx" with keys/),
      }),
    );
  });

  it('and may be bound with another one later', () => {
    const [one, other] = [mapping('direct', dlx('topic')), mapping('direct', dlx('topic', { bindingKey: 'v1' }))];

    expect(() => demandSameMapping('jobs', ['a'], one, other)).not.toThrow();
    expect(() => demandSameMapping('jobs', ['a'], one, mapping('direct', dlx('direct')))).toThrow(/deadLetters/);
  });
});

describe('a pause, which leaves a queue without a consumer', () => {
  it.each<[string, MappedQueue, RegExp]>([
    [
      'goes with its last consumer',
      { queue: 'q', autoDelete: true },
      /group "a" of topic "jobs" .*"q" with autoDelete/,
    ],
    ['goes when it is not used', { queue: 'q', arguments: { 'x-expires': 60_000 } }, /"q" with x-expires/],
  ])('is refused for one that %s', (_, a, says) => {
    const { shape } = mapped('jobs', { a });

    expect(() => demandPausable(shape, 'a')).toThrow(
      expect.objectContaining({ code: 'unsupported', message: expect.stringMatching(says) }),
    );
  });

  it('is well for one that stays', () => {
    expect(() => demandPausable(mapped('jobs', { a: 'q' }).shape, 'a')).not.toThrow();
    expect(() => demandPausable({ name: 'ours', ordering: 'none', lanes: 1 }, 'a')).not.toThrow();
  });
});
