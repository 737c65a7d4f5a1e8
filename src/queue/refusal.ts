import type { QueueErrorCode } from './errors.js';

/**
 * The driver itself says no, knowing why: nothing was changed. Not retryable, except `conflict`,
 * `unavailable` and `resource-exhausted`. The portable layer does not ask `classify` about these.
 */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(
    readonly code: QueueErrorCode,
    /** Subject and what is wrong: `topic "jobs" has no group "audit"`. */
    subject: string,
    /** What the user can do: `declare it in the topic's groups`. */
    readonly remedy: string,
  ) {
    super(subject);
  }
}
