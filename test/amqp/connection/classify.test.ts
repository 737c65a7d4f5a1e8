import { IllegalOperationError } from 'amqplib';
import { expect, test } from 'vitest';
import { classify, LinkError } from '../../../src/queue/amqp/connection/index.js';
import type { QueueErrorCode } from '../../../src/queue/driver.js';

/** As amqplib makes them of what a broker says. */
function reply(code: number, classId = 0, methodId = 0): Error {
  return Object.assign(new Error('what it says is not looked at'), { code, classId, methodId });
}

function socket(code: string): Error {
  return Object.assign(new Error('what it says is not looked at'), { code });
}

const cases: readonly (readonly [
  what: string,
  error: unknown,
  QueueErrorCode,
  retryable: boolean,
  unknown: boolean,
])[] = [
  ['311', reply(311), 'payload-too-large', false, false],
  ['312', reply(312), 'unroutable', false, false],
  ['313', reply(313), 'unroutable', false, false],
  ['320', reply(320), 'unavailable', true, true],
  ['403', reply(403), 'denied', false, false],
  ['404', reply(404), 'not-found', false, false],
  ['405', reply(405), 'conflict', true, false],
  ['406 to queue.declare', reply(406, 50, 10), 'topology-mismatch', false, false],
  ['406 to exchange.declare', reply(406, 40, 10), 'topology-mismatch', false, false],
  ['406 to queue.delete', reply(406, 50, 40), 'conflict', true, false],
  ['406 to basic.publish', reply(406, 60, 40), 'invalid', false, false],
  ['406 to basic.ack', reply(406, 60, 80), 'unavailable', true, true],
  ['406 for consuming too slowly', reply(406), 'unavailable', true, true],
  ['501', reply(501), 'internal', false, false],
  ['502', reply(502), 'internal', false, false],
  ['503', reply(503), 'internal', false, false],
  ['504', reply(504), 'internal', false, false],
  ['505', reply(505), 'internal', false, false],
  ['506', reply(506), 'resource-exhausted', true, false],
  ['530', reply(530), 'denied', false, false],
  ['540', reply(540), 'unsupported', false, false],
  ['541', reply(541), 'unavailable', true, true],
  ['a code of no version', reply(599), 'internal', false, true],
  ['ECONNREFUSED', socket('ECONNREFUSED'), 'unavailable', true, false],
  ['ENOTFOUND', socket('ENOTFOUND'), 'unavailable', true, false],
  ['ECONNRESET', socket('ECONNRESET'), 'unavailable', true, true],
  ['EPIPE', socket('EPIPE'), 'unavailable', true, true],
  ['ETIMEDOUT', socket('ETIMEDOUT'), 'unavailable', true, true],
  ['a closed channel', new IllegalOperationError('Channel closed'), 'unavailable', true, false],
  ['our own error', new LinkError('x', { code: 'timeout', outcomeUnknown: true }), 'timeout', true, true],
  ['our own error that is final', new LinkError('x', { code: 'invalid' }), 'invalid', false, false],
  ['a mistake of a program', new TypeError('404'), 'internal', false, true],
  ['nothing', undefined, 'internal', false, true],
];

test.each(cases)('%s is classified by its number', (_, error, code, retryable, outcomeUnknown) => {
  expect(classify(error)).toMatchObject({ code, retryable, outcomeUnknown });
});
