import { type BuildId, type BuildStatus, isTerminal, type TerminalBuildStatus } from '../buildrunner/index.js';
import type { JobRequest } from './job-request.js';

/** Where a recorded build stands: `requested` before the runner has it, then whatever the runner says. */
export type BuildState = 'requested' | BuildStatus;

/** Every state of a recorded build, in the order in which it passes through them. */
export const buildStates = [
  'requested',
  'accepted',
  'running',
  'succeeded',
  'failed',
  'cancelled',
] as const satisfies readonly BuildState[];

/**
 * What the orchestrator knows of one build: plain JSON, changed only by the functions of `transitions.ts`
 * and stored only by compare-and-set. Times are whole epoch milliseconds, by the clock of the orchestrator
 * that wrote them.
 */
export interface Build {
  /** Primary key, and the idempotency key under which the runner was asked. */
  readonly requestId: string;
  /** Null until the runner has answered. */
  readonly buildId: BuildId | null;
  readonly request: JobRequest;
  readonly status: BuildState;
  /** Number of the poll that is due: 0 until triggered, then from 1. */
  readonly nextPoll: number;
  /** When that poll falls due; null while none does. */
  readonly nextPollAt: number | null;
  /** Status calls that were answered and counted, those of pushes included. */
  readonly polls: number;
  readonly cancelRequestedAt: number | null;
  readonly cancelReason: string | null;
  /** When the runner took the cancel request; null while it has not. */
  readonly cancelSentAt: number | null;
  /** Why it ended as it did, where the runner's status alone does not say. */
  readonly reason: string | null;
  /** What the runner said last. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Whether its end has gone through the topic `build.finished`. */
  readonly announced: boolean;
  readonly createdAt: number;
  readonly triggeredAt: number | null;
  readonly deadlineAt: number | null;
  /** When its deadline was found to have passed, before the runner was asked to cancel; null while it has not. */
  readonly overdueAt: number | null;
  readonly finishedAt: number | null;
  /** When the sweep last sent one of its messages again; it waits a grace before it does so anew. */
  readonly remindedAt: number | null;
  readonly updatedAt: number;
  /** Counted by the store, from 1. */
  readonly version: number;
}

/** A build that the runner has a name for. */
export type TriggeredBuild = Build & { readonly buildId: BuildId };

/** A build whose end is known. */
export type EndedBuild = Build & { readonly status: TerminalBuildStatus };

/** True of a build that stays as it is. */
export function hasEnded(build: Build): build is EndedBuild {
  return build.status !== 'requested' && isTerminal(build.status);
}

/** True of a build that the runner has and that has not ended: one that is polled. */
export function isPolled(build: Build): build is TriggeredBuild {
  return build.buildId !== null && !hasEnded(build);
}
