import { once } from 'node:events';
import { createConnection } from 'mysql2';
import { expect, test } from 'vitest';
import { classifyMysql } from '../../src/sql/mysql-errors.js';
import { socketToNowhere } from '../servers/nowhere.js';

const raw = (fields: object): Error => Object.assign(new Error('text that nobody looks at'), fields);

test.each([
  [{ errno: 1213 }, 'conflict', true, false],
  [{ errno: 1205 }, 'conflict', true, false],
  [{ errno: 1142 }, 'denied', false, false],
  [{ errno: 1045 }, 'auth', false, false],
  [{ errno: 1130 }, 'denied', false, false],
  [{ errno: 1129 }, 'unavailable', true, false],
  [{ errno: 1146 }, 'not-found', false, false],
  [{ errno: 1040 }, 'resource-exhausted', true, false],
  [{ errno: 1290 }, 'unavailable', true, false],
  [{ errno: 1153 }, 'payload-too-large', false, false],
  [{ errno: 1317 }, 'timeout', true, false],
  [{ errno: 1053 }, 'unavailable', true, true],
  [{ errno: 1927, fatal: true }, 'unavailable', true, true],
  [{ code: 'PROTOCOL_CONNECTION_LOST', fatal: true }, 'unavailable', true, true],
  [{ code: 'ECONNRESET', syscall: 'read' }, 'unavailable', true, true],
  [{ code: 'PROTOCOL_SEQUENCE_TIMEOUT' }, 'timeout', true, true],
  // Never connected, so nothing was sent.
  [{ code: 'ECONNREFUSED', errno: -111, syscall: 'connect' }, 'unavailable', true, false],
  [{ code: 'ETIMEDOUT', errno: 'ETIMEDOUT', syscall: 'connect' }, 'unavailable', true, false],
  [{ code: 'ENOTFOUND', syscall: 'getaddrinfo' }, 'unavailable', true, false],
  // A statement on a connection that mysql2 knows to be dead.
  [{ fatal: true }, 'unavailable', true, false],
  [{ errno: 1064 }, 'internal', false, false],
  [{}, 'internal', false, false],
])('%o is %s, retryable: %s, outcome unknown: %s', (fields, code, retryable, outcomeUnknown) => {
  expect(classifyMysql(raw(fields))).toEqual({ code, retryable, outcomeUnknown });
});

test.each([null, undefined, 'text', 7])('what is no error at all is internal: %s', (thrown) => {
  expect(classifyMysql(thrown).code).toBe('internal');
});

test.each([
  [
    { syscall: 'connect', code: 'ECONNREFUSED', address: '127.0.0.1', port: 1 },
    'no connection to 127.0.0.1:1 (ECONNREFUSED)',
  ],
  [{ syscall: 'connect', code: 'ENOENT', address: '/run/no.sock' }, 'no connection to /run/no.sock (ENOENT)'],
  [
    { syscall: 'getaddrinfo', code: 'ENOTFOUND', hostname: 'db.invalid' },
    'no address is known of db.invalid (ENOTFOUND)',
  ],
])('of %o it is said where there was no connection to', (fields, detail) => {
  expect(classifyMysql(raw(fields))).toMatchObject({ code: 'unavailable', detail });
});

test('of a name with several addresses, none of which answers, each is said, and that nothing was sent', async () => {
  const [error] = await once(createConnection({ stream: socketToNowhere() }), 'error');

  expect(classifyMysql(error)).toEqual({
    ...{ code: 'unavailable', retryable: true, outcomeUnknown: false },
    detail: 'no connection to 127.0.0.1:1 (ECONNREFUSED), no connection to 127.0.0.2:1 (ECONNREFUSED)',
  });
  expect(
    classifyMysql(
      Object.assign(new AggregateError([raw({ code: 'ETIMEDOUT', syscall: 'connect' })]), { code: 'ETIMEDOUT' }),
    ),
  ).toEqual({ code: 'unavailable', retryable: true, outcomeUnknown: false });
});
