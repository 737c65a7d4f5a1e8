import type { Classification, QueueErrorCode } from '../../driver.js';

/** Codes after which the same call may succeed; everything else needs somebody to change something first. */
const retryableCodes: ReadonlySet<QueueErrorCode> = new Set([
  'unavailable',
  'timeout',
  'conflict',
  'resource-exhausted',
]);

export interface LinkErrorDetails {
  readonly code: QueueErrorCode;
  /** Default: as the code says. */
  readonly retryable?: boolean;
  /** Default: false, the broker has not seen it. */
  readonly outcomeUnknown?: boolean;
  /** What the broker answered: 404, 312 …; null where it said nothing. */
  readonly replyCode?: number | null;
  readonly cause?: unknown;
}

/**
 * An error of the connection layer. It carries its own classification, because only where it was made is it
 * known whether something had been written by then. `cause` is what amqplib or the socket said.
 */
export class LinkError extends Error implements Classification {
  override readonly name = 'LinkError';
  readonly code: QueueErrorCode;
  readonly retryable: boolean;
  readonly outcomeUnknown: boolean;
  readonly replyCode: number | null;

  constructor(message: string, details: LinkErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    this.retryable = details.retryable ?? retryableCodes.has(details.code);
    this.outcomeUnknown = details.outcomeUnknown ?? false;
    this.replyCode = details.replyCode ?? null;
  }
}
