import type { RunnerOperation } from '../errors.js';
import type { TriggerRequest } from '../trigger-request.js';
import type { LostPart } from './faults.js';

/** One call as it arrived. */
export interface LoggedCall {
  readonly operation: RunnerOperation;
  /** The idempotency key of a trigger, the build's id otherwise. */
  readonly subject: string;
  /** By the runner's clock, when it was made (its answer may have come later). */
  readonly at: number;
  /** What got lost when the runner was unreachable, or null. */
  readonly lost: LostPart | null;
}

/** One build that was really started: once per idempotency key, however often it was triggered. */
export interface LoggedBuild {
  readonly id: string;
  readonly startedAt: number;
  readonly request: TriggerRequest;
}

/**
 * What a scripted runner was asked and did, for tests to look at. Calls that failed count too; calls
 * that were aborted before they were made do not. It grows with every call.
 */
export interface CallLog {
  /** In the order in which they arrived. */
  readonly calls: readonly LoggedCall[];
  /** In the order in which they started; its length is how many builds there are. */
  readonly builds: readonly LoggedBuild[];
  /** Calls of `trigger` by idempotency key. */
  readonly triggers: ReadonlyMap<string, number>;
  /** Calls of `status` by build id. */
  readonly statuses: ReadonlyMap<string, number>;
  /** Calls of `cancel` by build id. */
  readonly cancels: ReadonlyMap<string, number>;
}

/** The log as the runner writes it. */
export class WritableCallLog implements CallLog {
  readonly calls: LoggedCall[] = [];
  readonly builds: LoggedBuild[] = [];
  readonly triggers = new Map<string, number>();
  readonly statuses = new Map<string, number>();
  readonly cancels = new Map<string, number>();

  /** How often this operation was called about this subject so far. */
  count(operation: RunnerOperation, subject: string): number {
    return this.#counts(operation).get(subject) ?? 0;
  }

  add(call: LoggedCall): void {
    this.calls.push(call);
    this.#counts(call.operation).set(call.subject, this.count(call.operation, call.subject) + 1);
  }

  #counts(operation: RunnerOperation): Map<string, number> {
    return { trigger: this.triggers, status: this.statuses, cancel: this.cancels }[operation];
  }
}
