/** Everything that can be wrong, as programs see it. The list is closed: a new backend fits its errors in here. */
export const queueErrorCodes = [
  'invalid',
  'payload-too-large',
  'unsupported',
  'unroutable',
  'not-found',
  'topology-mismatch',
  'denied',
  'auth',
  'unavailable',
  'timeout',
  'conflict',
  'resource-exhausted',
  'lease-lost',
  'already-settled',
  'aborted',
  'closed',
  'internal',
] as const;

export type QueueErrorCode = (typeof queueErrorCodes)[number];

export interface QueueErrorDetails {
  readonly code: QueueErrorCode;
  /** Whether the same call may succeed later. Default: false. */
  readonly retryable?: boolean;
  /** Whether the call may have taken effect all the same. Default: false, nothing was changed. */
  readonly outcomeUnknown?: boolean;
  /** Name of the driver, where one was involved. */
  readonly backend?: string | null;
  readonly cause?: unknown;
}

/**
 * The one error that signalbox throws. Programs look at `code`, `retryable` and `outcomeUnknown`; people
 * read the message, which names the operation, the subject and the remedy. Neither ever holds a body or a
 * password.
 */
export class QueueError extends Error {
  override readonly name = 'QueueError';
  readonly code: QueueErrorCode;
  readonly retryable: boolean;
  readonly outcomeUnknown: boolean;
  readonly backend: string | null;

  constructor(message: string, details: QueueErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    this.retryable = details.retryable ?? false;
    this.outcomeUnknown = details.outcomeUnknown ?? false;
    this.backend = details.backend ?? null;
  }
}

/**
 * Thrown by a handler to say that trying again is pointless: the message becomes a dead letter at once,
 * with this message as its reason, instead of using up its attempts.
 */
export class PermanentError extends Error {
  override readonly name: string = 'PermanentError';
}
