import fc from 'fast-check';
import { version } from 'uuid';
import { describe, expect, it } from 'vitest';
import type { StoredMessage } from '../../src/queue/driver.js';
import { idOf } from '../../src/queue/message.js';
import { newId } from '../../src/queue/new-id.js';

describe('new ids', () => {
  it('are UUIDs of version 7, all different, in the order of their making, also within a millisecond', () => {
    const ids = Array.from({ length: 20_000 }, (_, n) => newId(1_800_000_000_000 + Math.floor(n / 5_000)));

    expect(new Set(ids).size).toBe(ids.length);
    expect([...ids].sort()).toEqual(ids);
    expect(ids.every((id) => version(id) === 7)).toBe(true);
  });

  it('hold the time at which they were made', () => {
    const at = Date.UTC(2031, 4, 6);
    const id = newId(at + 0.7);

    expect(Number.parseInt(id.replace('-', '').slice(0, 12), 16)).toBe(at);
  });

  it('stay in order when a clock stands still or goes back', () => {
    const late = Date.UTC(2040, 0, 1);
    const ids = [newId(late), newId(late - 86_400_000), newId(0), newId(late), newId(late + 1)];

    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(5);
  });
});

describe('the id of a foreign message', () => {
  const foreign: StoredMessage = {
    id: null,
    topic: 'jobs',
    key: null,
    routingKey: 'eu.west',
    headers: {},
    body: Buffer.from('{"n":1}'),
    publishedAt: null,
    format: null,
  };

  it('is the same for each copy, and safe as a key', () => {
    expect(idOf({ ...foreign, body: new Uint8Array(foreign.body) })).toBe(idOf(foreign));
    expect(idOf(foreign)).toMatch(/^foreign-[0-9a-f]{32}$/);
  });

  it('differs with topic, routing key, key and body, however their texts meet', () => {
    const text = fc.string({ maxLength: 4 });
    const content = fc.record({ topic: text, routingKey: text, key: text, body: text });
    fc.assert(
      fc.property(content, content, (one, other) => {
        const id = ({ body, ...rest }: typeof one): string => idOf({ ...foreign, ...rest, body: Buffer.from(body) });

        expect(id(one) === id(other)).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
    );
  });

  it('is its own where it has one', () => {
    expect(idOf({ ...foreign, id: 'mine' })).toBe('mine');
  });
});
