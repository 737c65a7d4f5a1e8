import { expect, test } from 'vitest';
import { blame } from '../../../src/queue/amqp/connection/blame.js';
import type { Publication } from '../../../src/queue/amqp/connection/index.js';

function to(exchange: string): Publication {
  return { exchange, routingKey: 'k', body: Buffer.alloc(0), properties: {} };
}

const queue = to('');
const jobs = to('jobs');
const audit = to('audit');
const large: Publication = { ...jobs, body: Buffer.alloc(101) };
const larger: Publication = { ...queue, body: Buffer.alloc(200) };
const tooLarge = 'PRECONDITION_FAILED - message size 101 is larger than configured max size 100';

test.each([
  ['a missing exchange', 404, "NOT_FOUND - no exchange 'jobs' in vhost '/'", [queue, jobs], [jobs]],
  ['a missing exchange, which several were sent to', 404, '', [jobs, queue, jobs], [jobs]],
  ['one of two exchanges', 404, "NOT_FOUND - no exchange 'jobs' in vhost '/'", [audit, jobs, queue], [jobs]],
  ['one of two exchanges, and nobody says which', 404, 'NOT_FOUND', [audit, jobs], []],
  ['a forbidden exchange', 403, "access to exchange 'audit' in vhost '/' refused", [jobs, audit, queue], [audit]],
  ['a right on the default exchange', 403, "access to exchange 'amq.default' refused", [jobs, queue], []],
  ['a bad property, one of several', 406, "invalid expiration 'x'", [queue, jobs], []],
  ['a bad property, alone', 406, "invalid expiration 'x'", [queue], [queue]],
  ['a size, all that are too large', 406, tooLarge, [jobs, large, queue, larger], [large, larger]],
  ['nothing in flight', 404, "no exchange 'jobs'", [], []],
])('blames for %s', (_, replyCode, text, inFlight, guilty) => {
  expect([...blame({ replyCode, text }, inFlight)]).toEqual(guilty);
});
