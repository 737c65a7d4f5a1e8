/** One commit of one repository. */
export interface Change {
  /** Where the runner can fetch it from. */
  readonly repoUrl: string;
  readonly commitSha: string;
  /** The branch, tag or pull request head that named the commit, such as `refs/pull/17/head`. */
  readonly ref?: string | undefined;
  /** A page for people, such as that of the pull request. */
  readonly url?: string | undefined;
}

/** What a build is to be made of. */
export interface TriggerRequest {
  /** The merge queue, or lane of work, the build is for. */
  readonly queueName: string;
  /** Assumed good, in the order in which they are applied. May be empty: what the head's repository has. */
  readonly base: readonly Change[];
  /** Under test, applied on top of `base` in this order. At least one. */
  readonly head: readonly Change[];
  /**
   * Free-form hints to the runner. A build made of a JobRequest carries the request's own field
   * names: `workflow_path`, `workflow_job_id`, `runs_on`, and whichever else its maker passes on.
   */
  readonly metadata: Readonly<Record<string, string>>;
  /** Names this build before it has an id, so that triggering again does not start it again. */
  readonly idempotencyKey: string;
}

/**
 * Throws a `TypeError` for a request that no runner should act on: without a head there is nothing to
 * build, and under an empty key every build would be the same one. Runners call it first.
 */
export function checkTriggerRequest(request: TriggerRequest): void {
  const refuse = (why: string): never => {
    throw new TypeError(`cannot trigger a build for queue "${request.queueName}": ${why}`);
  };
  if (typeof request.idempotencyKey !== 'string' || request.idempotencyKey === '') {
    refuse('its idempotencyKey is empty; pass the id of the job it is for');
  }
  if (request.head.length === 0) refuse('its head is empty, there is nothing to test; pass at least one change');
}
