import { IllegalOperationError } from 'amqplib';
import { classify, replyCodeOf } from './classify.js';
import { LinkError } from './link-error.js';
import { wordsOf } from './words.js';

/**
 * What a call on a channel rejected with, as a `LinkError` with amqplib's own as its cause; `lossCause` is why the
 * channel was lost, where that is what ended the call. What is not from amqplib (a refusal of the driver) stays as it is.
 */
export function callError(what: string, error: unknown, lossCause: unknown): unknown {
  if (typeof replyCodeOf(error) === 'number' && !(error instanceof LinkError)) {
    const { code, retryable, outcomeUnknown } = classify(error);
    return new LinkError(`cannot ${what}: ${wordsOf(error)}`, {
      ...{ code, retryable, outcomeUnknown },
      replyCode: replyCodeOf(error),
      cause: error,
    });
  }
  if (error instanceof IllegalOperationError) {
    return new LinkError(`cannot ${what}: the channel is closed`, { code: 'unavailable', cause: lossCause ?? error });
  }
  // amqplib has nothing else for calls that a lost channel left without an answer.
  if (lossCause !== null && error instanceof Error && error.constructor === Error) {
    return new LinkError(`cannot ${what}: the channel was lost before the broker answered`, {
      code: 'unavailable',
      outcomeUnknown: true,
      cause: lossCause,
    });
  }
  return error;
}
