import { amqp } from 'signalbox/amqp';
import { describe, expect, it } from 'vitest';
import { settingsOf } from '../../src/queue/amqp/options.js';

describe('the options of the RabbitMQ driver', () => {
  it('have defaults for everything', () => {
    expect(settingsOf('amqp://localhost')).toMatchObject({
      prefix: 'signalbox',
      queueType: 'quorum',
      dueQueueType: 'classic',
      connectionName: `signalbox ${process.pid}`,
    });
  });

  it('can be said in the URL, or beside it', () => {
    expect(settingsOf('amqp://localhost/?prefix=mine&queueType=classic')).toMatchObject({
      prefix: 'mine',
      queueType: 'classic',
    });
    expect(settingsOf({ url: 'amqp://localhost', prefix: 'mine' })).toMatchObject({ prefix: 'mine' });
    expect(settingsOf({ host: 'localhost', queueType: 'classic' })).toMatchObject({ queueType: 'classic' });
  });

  it('take the delays of a cluster through a queue that outlives a node', () => {
    expect(settingsOf('amqp://one,two/').dueQueueType).toBe('quorum');
  });

  it.each([
    ['a prefix with a dot', 'amqp://u:hunter2@h/?prefix=a.b', /the prefix is not/],
    ['a queue type that there is not', 'amqp://u:hunter2@h/?queueType=stream', /queueType is neither/],
    ['an option that there is not', 'amqp://u:hunter2@h/?qos=1', /no URL option "qos"/],
    [
      'the same said twice',
      { url: 'amqp://u:hunter2@h/?prefix=a', prefix: 'b' },
      /"prefix" is given in the url and beside it/,
    ],
    ['a URL and a part', { url: 'amqp://u:hunter2@h', vhost: 'v' }, /both a url and "vhost"/],
    ['nothing', null, /the options are no object/],
    ['a clock that is none', { url: 'amqp://u:hunter2@h', clock: 5 }, /the clock is no Clock/],
    ['half a clock', { clock: { now: () => 0 } }, /the clock is no Clock/],
    ['TLS that is null', { password: 'hunter2', tls: null }, /"tls" is no object/],
  ])('refuse %s, and show no password', (_, given, says) => {
    const make = (): unknown => amqp(given as string);

    expect(make).toThrow(says);
    expect(make).toThrow(expect.objectContaining({ name: 'QueueError', code: 'invalid' }));
    expect(make).not.toThrow(/hunter2/);
  });

  it('decide what the driver says that it can do', () => {
    expect(amqp('amqp://localhost').capabilities.countsRedeliveries).toBe(true);
    expect(amqp('amqp://localhost/?queueType=classic').capabilities.countsRedeliveries).toBe(false);
  });
});
