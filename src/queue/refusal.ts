import type { QueueErrorCode } from './errors.js';

const retryableCodes: ReadonlySet<QueueErrorCode> = new Set(['conflict', 'unavailable', 'resource-exhausted']);

export interface RefusalOptions {
  /** Whether the same call may succeed later. Default: a `conflict`, `unavailable` and `resource-exhausted` may. */
  readonly retryable?: boolean;
  /** What a library or the backend said. */
  readonly cause?: unknown;
}

/**
 * The driver itself says no, knowing why: nothing was changed. The portable layer does not ask `classify` about these.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  /** See `RefusalOptions`. */
  readonly retryable: boolean;

  constructor(
    readonly code: QueueErrorCode,
    /** Subject and what is wrong: `topic "jobs" has no group "audit"`. */
    subject: string,
    /** What the user can do: `declare it in the topic's groups`. */
    readonly remedy: string,
    options: RefusalOptions = {},
  ) {
    super(subject, options);
    this.retryable = options.retryable ?? retryableCodes.has(code);
  }
}
