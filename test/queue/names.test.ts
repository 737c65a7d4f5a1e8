import { describe, expect, it } from 'vitest';
import { nameFault, textFault } from '../../src/queue/names.js';

describe('names of topics and groups', () => {
  it.each(['a', 'build.signal', 'Ünïcode', '建構', 'with space', 'x'.repeat(100), 'é'.repeat(50)])(
    '%j is one',
    (name) => {
      expect(nameFault(name)).toBeNull();
    },
  );

  it.each([
    ['', 'is empty'],
    ['a*', 'contains * or #'],
    ['#', 'contains * or #'],
    ['x'.repeat(101), 'is longer than 100 bytes'],
    ['é'.repeat(51), 'is longer than 100 bytes'],
    ['a\nb', 'contains a control character'],
    ['a\u0000', 'contains a control character'],
    ['a\u007f', 'contains a control character'],
    ['a\u0085', 'contains a control character'],
    ['a\ud800', 'not well-formed'],
    [undefined, 'is undefined, not a string'],
    [null, 'is null, not a string'],
    [7, 'is a number, not a string'],
    [['a'], 'is an array, not a string'],
    [{}, 'is an object, not a string'],
  ])('%j is none', (name, why) => {
    expect(nameFault(name)).toContain(why);
  });
});

describe('keys', () => {
  it('are counted in bytes of UTF-8, to the byte', () => {
    expect(textFault(`${'🚦'.repeat(63)}abc`, 255)).toBeNull();
    expect(textFault(`${'🚦'.repeat(63)}abcd`, 255)).toBe('is longer than 255 bytes');
    expect(textFault('x'.repeat(255), 255)).toBeNull();
    expect(textFault('x'.repeat(256), 255)).toBe('is longer than 255 bytes');
  });

  it('may hold * and # and may be empty', () => {
    expect([textFault('*.#', 255), textFault('', 255)]).toEqual([null, null]);
  });
});
