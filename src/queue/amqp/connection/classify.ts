import { IllegalOperationError } from 'amqplib';
import type { Classification, QueueErrorCode } from '../../driver.js';
import { LinkError } from './link-error.js';
import { codeOfReply } from './reply-code.js';

type Meaning = readonly [code: QueueErrorCode, retryable: boolean, outcomeUnknown: boolean];

/** Error numbers of sockets and name look-ups; those of TLS end a handshake, and are refusals by then. */
const socketErrors: ReadonlyMap<string, Meaning> = new Map([
  ['ECONNREFUSED', ['unavailable', true, false]],
  ['ENOTFOUND', ['unavailable', true, false]],
  ['EAI_AGAIN', ['unavailable', true, false]],
  ['EHOSTUNREACH', ['unavailable', true, true]],
  ['ENETUNREACH', ['unavailable', true, true]],
  ['ECONNRESET', ['unavailable', true, true]],
  ['ECONNABORTED', ['unavailable', true, true]],
  ['EPIPE', ['unavailable', true, true]],
  ['ETIMEDOUT', ['unavailable', true, true]],
]);

/** Replies after which the same call may succeed. */
const passing: ReadonlySet<QueueErrorCode> = new Set(['unavailable', 'conflict', 'resource-exhausted']);

/**
 * What an error of this layer, of amqplib or of a socket means: by class, reply code and error number, never by its
 * text. What none of these explain is `internal`, with an unknown outcome.
 */
export function classify(error: unknown): Classification {
  if (error instanceof LinkError) {
    const { code, retryable, outcomeUnknown, message } = error;
    return { code, retryable, outcomeUnknown, detail: message };
  }
  // amqplib refuses to use what is closed, before anything is written.
  if (error instanceof IllegalOperationError) return { code: 'unavailable', retryable: true, outcomeUnknown: false };
  const { code, classId, methodId } = fieldsOf(error);
  if (typeof code === 'number') {
    const meaning = codeOfReply(code, classId, methodId);
    if (meaning !== null) {
      return { code: meaning, retryable: passing.has(meaning), outcomeUnknown: meaning === 'unavailable' };
    }
  }
  const [meaning, retryable, outcomeUnknown] = (typeof code === 'string' && socketErrors.get(code)) || unexplained;
  return { code: meaning, retryable, outcomeUnknown };
}

const unexplained: Meaning = ['internal', false, true];

/** The reply code that the broker gave, where it gave one. */
export function replyCodeOf(error: unknown): number | null {
  if (error instanceof LinkError) return error.replyCode;
  const { code } = fieldsOf(error);
  return typeof code === 'number' ? code : null;
}

function fieldsOf(error: unknown): {
  readonly code?: unknown;
  readonly classId?: unknown;
  readonly methodId?: unknown;
} {
  return typeof error === 'object' && error !== null ? error : {};
}
