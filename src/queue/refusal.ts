import type { QueueErrorCode } from './errors.js';

const retryableCodes: ReadonlySet<QueueErrorCode> = new Set(['conflict', 'unavailable', 'resource-exhausted']);

/**
 * The driver itself says no, knowing why: nothing was changed. The portable layer does not ask `classify` about these.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(
    readonly code: QueueErrorCode,
    /** Subject and what is wrong: `topic "jobs" has no group "audit"`. */
    subject: string,
    /** What the user can do: `declare it in the topic's groups`. */
    readonly remedy: string,
    /** Whether the same call may succeed later. Default: a `conflict`, `unavailable` and `resource-exhausted` may. */
    readonly retryable: boolean = retryableCodes.has(code),
  ) {
    super(subject);
  }
}
