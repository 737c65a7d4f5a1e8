import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Names, type TopicShape } from '../../src/queue/amqp/names.js';

const names = new Names('signalbox');
const plain = (name: string): TopicShape => ({ name, ordering: 'none', lanes: 1 });
const keyed = (name: string, lanes: number): TopicShape => ({ name, ordering: 'key', lanes });

describe('names of exchanges and queues', () => {
  it('say what is in them', () => {
    expect(names.queue(plain('build.signal'), 'default', 0)).toBe('signalbox.q.build:signal.default');
    expect(names.queue(keyed('build.signal', 8), 'default', 3)).toBe('signalbox.q.build:signal.default.3of8');
    expect(names.exchange(plain('build.signal'), 0)).toBe('signalbox.to.build:signal');
    expect(names.dead(plain('build.signal'), 'eu')).toBe('signalbox.dead.build:signal.eu');
    expect(names.delay(30_000)).toBe('signalbox.delay.30000');
  });

  it('are different for different topics and groups', () => {
    const name = fc.string({ unit: fc.constantFrom('a', '.', ':', '%', '3', 'é'), minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(name, name, name, name, (topic, group, otherTopic, otherGroup) => {
        fc.pre(topic !== otherTopic || group !== otherGroup);
        expect(names.dead(plain(topic), group)).not.toBe(names.dead(plain(otherTopic), otherGroup));
        expect(names.queue(plain(topic), group, 0)).not.toBe(names.queue(plain(otherTopic), otherGroup, 0));
      }),
    );
  });

  it('of an ordered topic with one lane are not those of an unordered one', () => {
    expect(names.queue(keyed('t', 1), 'g', 0)).not.toBe(names.queue(plain('t'), 'g', 0));
  });

  it('hold the longest topic and group that there may be', () => {
    const longest = `${'é'.repeat(50)}`;

    expect(Buffer.byteLength(names.queue(keyed(longest, 256), longest, 255))).toBeLessThanOrEqual(200);
  });

  it('stay short for names that need escaping, and differ', () => {
    const [colons, more] = [':'.repeat(100), `${':'.repeat(99)}.`];

    expect(Buffer.byteLength(names.dead(plain(colons), colons))).toBeLessThanOrEqual(200);
    expect(names.dead(plain(colons), 'g')).not.toBe(names.dead(plain(more), 'g'));
  });

  it('of a lock are made from the queue it is for', () => {
    expect(names.lock(names.dead(plain('t'), 'g'))).toBe('signalbox.lock.dead.t.g');
  });
});
