import { type Classification, QueueError, type QueueErrorCode, Refusal } from '../queue/driver.js';

/** How errors of one kind of database are told. */
export interface Telling {
  /** Name of the driver. */
  readonly backend: string;
  readonly classify: (error: unknown) => Classification;
  /** What is wrong and what to do about it, by code. */
  readonly words: Partial<Record<QueueErrorCode, string>> & { readonly internal: string };
}

/**
 * What a program sees of an error of the database where no queue is in between: `cannot load build "…" on mysql: the database
 * cannot be reached; …`. The raw error stays in `cause`, as its text may hold a statement's values.
 */
export function sqlFailure({ backend, classify, words }: Telling, operation: string, error: unknown): QueueError {
  if (error instanceof QueueError) return error;
  if (error instanceof Refusal) {
    return new QueueError(`cannot ${operation} on ${backend}: ${error.message}; ${error.remedy}`, {
      code: error.code,
      retryable: error.retryable,
      backend,
      cause: error.cause,
    });
  }
  const { code, retryable, outcomeUnknown } = classify(error);
  const doubt = outcomeUnknown ? ' (it may have taken effect all the same)' : '';
  return new QueueError(`cannot ${operation} on ${backend}: ${words[code] ?? words.internal}${doubt}`, {
    code,
    retryable,
    outcomeUnknown,
    backend,
    cause: error,
  });
}
