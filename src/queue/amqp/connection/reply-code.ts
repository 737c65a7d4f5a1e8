import type { QueueErrorCode } from '../../driver.js';

/**
 * Reply codes of AMQP 0-9-1 as RabbitMQ uses them. 406 says "precondition failed" to everything, so it is told
 * apart by the method it answers; 403 at the handshake means the credentials, which `handshakeError` knows.
 */
const codes: ReadonlyMap<number, QueueErrorCode> = new Map([
  [311, 'payload-too-large'],
  [312, 'unroutable'],
  [313, 'unroutable'],
  [320, 'unavailable'],
  [402, 'not-found'],
  [403, 'denied'],
  [404, 'not-found'],
  [405, 'conflict'],
  [501, 'internal'],
  [502, 'internal'],
  [503, 'internal'],
  [504, 'internal'],
  [505, 'internal'],
  [506, 'resource-exhausted'],
  [530, 'denied'],
  [540, 'unsupported'],
  // A queue that does not answer (no leader yet, still starting): it passes.
  [541, 'unavailable'],
]);

/** `class.method` of the methods that RabbitMQ refuses with 406, and what that means. */
const preconditions: ReadonlyMap<string, QueueErrorCode> = new Map([
  ['40.10', 'topology-mismatch'],
  ['50.10', 'topology-mismatch'],
  // Deleting "if empty", "if unused".
  ['40.20', 'conflict'],
  ['50.40', 'conflict'],
  // Publishing: a bad expiration, a user id that is not ours. One that is too large is told by the text: see `sizeLimitIn`.
  ['60.40', 'invalid'],
]);

/** What the broker's answer means; null for a code that no version documents. */
export function codeOfReply(replyCode: number, classId: unknown, methodId: unknown): QueueErrorCode | null {
  // What is left of 406: settling twice, or too late (consumer_timeout); neither is about a message being sent.
  if (replyCode === 406) return preconditions.get(`${classId}.${methodId}`) ?? 'unavailable';
  return codes.get(replyCode) ?? null;
}
