import { QueueError } from 'signalbox';
import { describe, expect, it } from 'vitest';
import { Events } from '../../src/queue/events.js';

function setUp() {
  const warnings: unknown[] = [];
  const events = new Events({ info() {}, warn: (fields, message) => warnings.push([fields, message]) });
  return { events, warnings };
}

describe('listeners', () => {
  it('hear their event until they stop', () => {
    const { events } = setUp();
    const heard: unknown[] = [];
    const stop = events.on('unblocked', (event) => heard.push(event));

    expect([events.heard('unblocked'), events.heard('blocked')]).toEqual([true, false]);
    events.emit('unblocked', { backend: 'memory' });
    stop();
    stop();
    events.emit('unblocked', { backend: 'memory' });

    expect(heard).toEqual([{ backend: 'memory' }]);
    expect(events.heard('unblocked')).toBe(false);
  });

  it('one that throws is logged, and neither the others nor the library notice', () => {
    const { events, warnings } = setUp();
    let heard = 0;
    events.on('closed', () => {
      throw new Error('mine');
    });
    events.on('closed', () => heard++);

    events.emit('closed', { backend: 'memory' });

    expect(heard).toBe(1);
    expect(warnings).toEqual([[{ event: 'closed', error: 'mine' }, 'a listener threw']]);
  });

  it('one that is asynchronous and rejects is logged, and ends no process', async () => {
    const { events, warnings } = setUp();
    events.on('closed', async () => {
      throw new Error('late');
    });

    events.emit('closed', { backend: 'memory' });
    await new Promise((resolve) => setImmediate(resolve));

    expect(warnings).toEqual([[{ event: 'closed', error: 'late' }, 'a listener threw']]);
  });

  it('of an event that does not exist, or that are no functions, are refused', () => {
    const { events } = setUp();

    for (const [name, listener] of [
      ['dead-leterd', () => {}],
      ['closed', undefined],
    ]) {
      expect(() => events.on(name as 'closed', listener as () => void)).toThrow(QueueError);
    }
    expect(() => events.on('dead-leterd' as 'closed', () => {})).toThrow(/"dead-leterd".*dead-lettered/);
  });
});
