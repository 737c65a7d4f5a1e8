import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeEnvelope, envelopeOf } from '../../src/queue/amqp/envelope.js';

describe('the envelope of a message', () => {
  it('is read as it was written', () => {
    const envelope = fc.record({
      format: fc.option(fc.nat()),
      publishedAt: fc.option(fc.double({ noNaN: true, min: -8.64e15, max: 8.64e15 }).map((time) => time + 0)),
      publication: fc.stringMatching(/^[\w.-]+$/),
    });

    fc.assert(
      fc.property(envelope, (given) => {
        expect(envelopeOf({ 'x-signalbox-envelope': encodeEnvelope(given) })).toEqual(given);
      }),
    );
  });

  it.each([[undefined], [5], [''], ['1'], ['1 2'], ['1 2 '], ['1 2 a b']])('is missing where %j stands', (written) => {
    expect(envelopeOf({ 'x-signalbox-envelope': written })).toBeNull();
  });

  it.each([
    ['z 1e300 x', null, null],
    ['-1 - x', null, null],
    [`${2 ** 53} NaN x`, null, null],
    ['1.5 Infinity x', null, null],
    ['0 0 x', 0, 0],
  ])('says of %j what can be read', (written, format, publishedAt) => {
    expect(envelopeOf({ 'x-signalbox-envelope': written })).toEqual({ format, publishedAt, publication: 'x' });
  });
});
