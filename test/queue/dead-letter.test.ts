import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cut, deathOf } from '../../src/queue/dead-letter.js';

const facts = {
  cause: 'rejected',
  attempt: 2,
  postpones: 0,
  redeliveries: 0,
  firstFailedAt: null,
  now: 1_000,
  origin: 'here',
} as const;

describe('cutting a text', () => {
  it('leaves alone what is short enough, to the byte', () => {
    expect(cut('x'.repeat(16), 16)).toBe('x'.repeat(16));
    expect(cut('🚦🚦🚦🚦', 16)).toBe('🚦🚦🚦🚦');
  });

  it('keeps whole characters and marks what is missing', () => {
    expect(cut('x'.repeat(17), 16)).toBe(`${'x'.repeat(13)}…`);
    expect(cut('🚦🚦🚦🚦🚦', 16)).toBe('🚦🚦🚦…');
    expect(cut('abéééééééé', 16)).toBe('abééééé…');
    expect(cut('a€€€€€€', 16)).toBe('a€€€€…');
  });

  it('never answers more bytes than asked for, nor half a character, whatever it is given', () => {
    const text = fc.array(fc.oneof(fc.constantFrom('a', 'é', '€', '🚦', '\ud800', '\udc00'), fc.string()), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(text, fc.integer({ min: 3, max: 64 }), (parts, maxBytes) => {
        const whole = parts.join('');

        const short = cut(whole, maxBytes);

        expect(Buffer.byteLength(short)).toBeLessThanOrEqual(maxBytes);
        expect(short.isWellFormed()).toBe(true);
        expect(whole.toWellFormed().startsWith(short.replace(/…$/, ''))).toBe(true);
        if (Buffer.byteLength(whole) <= maxBytes) expect(short).toBe(whole.toWellFormed());
      }),
    );
  });
});

describe('the record of a death', () => {
  it('is written also for what refuses to be looked at', () => {
    const reason = new Proxy(
      {},
      {
        getPrototypeOf() {
          throw new Error('not to be looked at');
        },
      },
    );

    expect(deathOf({ ...facts, reason })).toMatchObject({ error: null, reason: '[object Object]' });
  });

  it('has the text of a reason, or the parts of an error', () => {
    const error = new RangeError('too far');

    expect(deathOf({ ...facts, reason: 'poison' })).toMatchObject({ reason: 'poison', error: null });
    expect(deathOf({ ...facts, reason: error })).toMatchObject({
      reason: 'too far',
      error: { name: 'RangeError', message: 'too far', stack: error.stack },
      firstFailedAt: 1_000,
      lastFailedAt: 1_000,
    });
    expect(deathOf({ ...facts, reason: error, firstFailedAt: 5 })).toMatchObject({
      firstFailedAt: 5,
      lastFailedAt: 1_000,
    });
    expect(deathOf({ ...facts, reason: new Error() }).reason).toBe('Error');
    expect(deathOf({ ...facts, reason: undefined }).reason).toBe('no reason given');
  });

  it('is small, however large the error is', () => {
    const error = new Error('m'.repeat(1e6));
    error.name = 'n'.repeat(1e6);
    error.stack = '🚦'.repeat(1e6);

    const death = deathOf({ ...facts, reason: error });

    expect(Buffer.byteLength(death.error?.stack ?? '')).toBeLessThanOrEqual(4_096);
    expect(Buffer.byteLength(JSON.stringify(death))).toBeLessThan(8_000);
  });

  const bare = Object.create(null) as unknown;
  const hostile = {
    toString() {
      throw new Error('no text');
    },
  };
  const trap = new Proxy(new Error('x'), {
    get(target, property) {
      if (property === 'message' || property === 'stack' || property === 'name') throw new Error('no access');
      return Reflect.get(target, property);
    },
  });
  it.each<[string, unknown]>([
    ['an object without a prototype', bare],
    ['an object whose toString throws', hostile],
    ['a symbol', Symbol('s')],
    ['a bigint', 1n],
    ['an error whose message is a number', Object.assign(new Error('x'), { message: 42 })],
    ['an error whose name and stack are objects', Object.assign(new Error('x'), { name: {}, stack: [1] })],
    ['an error whose message has no text', Object.assign(new Error('x'), { message: bare })],
    ['an error that lets nobody look at it', trap],
  ])('%s is no obstacle', (_, reason) => {
    const death = deathOf({ ...facts, reason });

    expect(typeof death.reason).toBe('string');
    expect(death.reason.length).toBeGreaterThan(0);
    expect(JSON.parse(JSON.stringify(death))).toEqual(death);
  });
});
