import type { BuildId } from './build-id.js';

/** What was asked of a runner when it failed. */
export type RunnerOperation = 'trigger' | 'status' | 'cancel';

/**
 * The runner was reached and does not know this build: it was never triggered there, or was
 * forgotten. Asking again does not help; whoever waits for the build has to take it as failed.
 */
export class BuildUnknownError extends Error {
  override readonly name = 'BuildUnknownError';
  readonly code = 'build-unknown';
  readonly buildId: BuildId;

  constructor(operation: 'status' | 'cancel', buildId: BuildId, options?: ErrorOptions) {
    super(
      `cannot ${verb[operation]} build "${buildId.id}": the runner does not know it; ` +
        'check that this is the runner that started it, or trigger the build anew under another idempotency key',
      options,
    );
    this.buildId = buildId;
  }
}

/**
 * The runner could not be reached, or did not answer in a way that says what happened. Asking again
 * later makes sense and is safe: after a failed `trigger` with the same idempotency key.
 */
export class RunnerUnavailableError extends Error {
  override readonly name = 'RunnerUnavailableError';
  readonly code = 'runner-unavailable';
  readonly operation: RunnerOperation;

  /** `subject` names what the call was about, as in `build "b-17"`; `reason` says in a few words what was seen. */
  constructor(operation: RunnerOperation, subject: string, reason: string, options?: ErrorOptions) {
    super(
      `cannot ${verb[operation]} ${subject}: the runner is unavailable (${reason}); ` +
        `${remedy[operation]}, and check the runner if this goes on`,
      options,
    );
    this.operation = operation;
  }
}

const verb: Readonly<Record<RunnerOperation, string>> = {
  trigger: 'trigger',
  status: 'ask the status of',
  cancel: 'cancel',
};

const remedy: Readonly<Record<RunnerOperation, string>> = {
  trigger: 'retry with the same idempotency key, which starts nothing twice',
  status: 'retry later',
  cancel: 'retry later',
};
