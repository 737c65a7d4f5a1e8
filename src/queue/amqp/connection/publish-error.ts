import { classify, replyCodeOf } from './classify.js';
import type { Entry } from './in-flight.js';
import { LinkError } from './link-error.js';
import type { Publication } from './publication.js';
import { sizeLimitIn } from './size-limit.js';
import { wordsOf } from './words.js';

/** The broker sent it back: no queue is bound for it. It is stored nowhere. */
export function unroutable({ publication, returned }: Entry): LinkError {
  return new LinkError(`${subject(publication)}: it leads to no queue`, {
    code: 'unroutable',
    replyCode: returned?.replyCode ?? null,
  });
}

/** The broker nacked it: a queue is full, or could not store it. Other queues of the same exchange may have it. */
export function nacked({ publication }: Entry): LinkError {
  return new LinkError(`${subject(publication)}: a queue is full or cannot store it`, {
    code: 'resource-exhausted',
    outcomeUnknown: true,
  });
}

/** The broker closed the channel because of it. Of several that share the blame, all but one may be stored. */
export function refused({ publication }: Entry, alone: boolean, cause: unknown): LinkError {
  const words = wordsOf(cause);
  const maxBytes = sizeLimitIn(words);
  if (maxBytes !== null) return tooLarge(publication, maxBytes, cause);
  const { code, retryable } = classify(cause);
  return new LinkError(`${subject(publication)}: the broker refuses it: ${words}`, {
    code,
    retryable,
    outcomeUnknown: !alone,
    replyCode: replyCodeOf(cause),
    cause,
  });
}

/** Others that share the blame are too large as well: none of them is stored. */
function tooLarge(publication: Publication, maxBytes: number, cause: unknown): LinkError {
  const what = `it has ${publication.body.length} bytes, and the broker takes ${maxBytes} (its max_message_size)`;
  return new LinkError(`${subject(publication)}: ${what}`, {
    code: 'payload-too-large',
    replyCode: replyCodeOf(cause),
    cause,
  });
}

/** Written, and the channel was lost before the confirm. */
export function unanswered({ publication }: Entry, cause: unknown): LinkError {
  return new LinkError(`${subject(publication)}: the channel was lost before the broker confirmed it`, {
    code: 'unavailable',
    outcomeUnknown: true,
    cause,
  });
}

/** Written, and no confirm came. */
export function unconfirmed({ publication }: Entry, deadlineMs: number): LinkError {
  return new LinkError(`${subject(publication)}: not confirmed within ${deadlineMs} ms`, {
    code: 'timeout',
    outcomeUnknown: true,
  });
}

/** Never written: there was no channel, or the broker takes nothing. */
export function unwritten({ publication }: Entry, deadlineMs: number, blocked: string | null): LinkError {
  const what = `${subject(publication)}: not sent within ${deadlineMs} ms`;
  if (blocked === null) return new LinkError(`${what}, there is no connection that takes it`, { code: 'unavailable' });
  return new LinkError(`${what}, the broker takes no messages (${blocked})`, { code: 'resource-exhausted' });
}

/** AMQP cannot say it, or not in frames as small as the broker's. */
export function unencodable({ publication }: Entry, cause: unknown): LinkError {
  return new LinkError(`${subject(publication)}: it cannot be put into AMQP frames: ${wordsOf(cause)}`, {
    code: cause instanceof RangeError ? 'payload-too-large' : 'invalid',
    cause,
  });
}

export function closed(publication: Publication): LinkError {
  return new LinkError(`${subject(publication)}: the connection is being closed`, { code: 'closed' });
}

function subject({ exchange, routingKey }: Publication): string {
  if (exchange === '') return `publish to queue "${routingKey}"`;
  return `publish to exchange "${exchange}" with routing key "${routingKey}"`;
}
