import type { BuildId, BuildReport, BuildStatus } from '../buildrunner/index.js';
import { type Build, type BuildState, hasEnded } from './build.js';
import type { JobRequest } from './job-request.js';

/**
 * Every move from state to state, by the fact that causes it. What is not here does not happen: a fact
 * that finds no move leaves the record as it is. No list has a terminal state on its left.
 * `docs/build-states.md` draws it, and a test compares the two.
 */
export const moves = {
  triggered: [['requested', 'accepted']],
  observed: [
    ['accepted', 'accepted'],
    ['accepted', 'running'],
    ['accepted', 'succeeded'],
    ['accepted', 'failed'],
    ['accepted', 'cancelled'],
    ['running', 'running'],
    ['running', 'succeeded'],
    ['running', 'failed'],
    ['running', 'cancelled'],
  ],
  forgotten: [
    ['accepted', 'failed'],
    ['running', 'failed'],
  ],
  timedOut: [
    ['accepted', 'failed'],
    ['running', 'failed'],
  ],
  deadLettered: [
    ['requested', 'failed'],
    ['accepted', 'failed'],
    ['running', 'failed'],
  ],
} as const satisfies Readonly<Record<string, readonly (readonly [from: BuildState, to: BuildState])[]>>;

/** A fact that can move a build to another state. */
type Move = keyof typeof moves;

/** A request came in. */
export function created(request: JobRequest, now: number): Build {
  return {
    requestId: request.request_id,
    buildId: null,
    request,
    status: 'requested',
    nextPoll: 0,
    nextPollAt: null,
    polls: 0,
    cancelRequestedAt: null,
    cancelReason: null,
    cancelSentAt: null,
    reason: null,
    metadata: {},
    announced: false,
    createdAt: now,
    triggeredAt: null,
    deadlineAt: null,
    overdueAt: null,
    finishedAt: null,
    remindedAt: null,
    updatedAt: now,
    version: 1,
  };
}

/** The runner took the build under this name. */
export function triggered(
  build: Build,
  fact: { readonly buildId: BuildId; readonly firstPollMs: number; readonly deadlineMs: number; readonly now: number },
): Build {
  const { now } = fact;
  return move(build, 'triggered', 'accepted', now, {
    buildId: fact.buildId,
    nextPoll: 1,
    nextPollAt: now + fact.firstPollMs,
    triggeredAt: now,
    deadlineAt: now + fact.deadlineMs,
  });
}

/**
 * The runner answered a status. Answers can overtake one another, so one that is older than what is
 * recorded (`accepted` after `running`) counts as an answer and moves nothing back.
 */
export function observed(build: Build, report: BuildReport, now: number): Build {
  const status: BuildStatus = build.status === 'running' && report.status === 'accepted' ? 'running' : report.status;
  const seen = { polls: build.polls + 1, metadata: bounded(report.metadata) };
  if (status !== 'cancelled') return move(build, 'observed', status, now, seen);
  if (build.cancelRequestedAt !== null) {
    return move(build, 'observed', status, now, { ...seen, reason: build.cancelReason ?? 'cancel requested' });
  }
  return build.overdueAt === null
    ? move(build, 'observed', status, now, seen)
    : move(build, 'timedOut', 'failed', now, { ...seen, reason: timedOutReason });
}

const timedOutReason = 'timed out';

/**
 * Its deadline passed, and the runner is about to be asked to cancel. Without this on record a poll that sees the
 * cancelled build before the deadline's handler is back would call it cancelled, and nobody had cancelled it.
 */
export function overdue(build: Build, now: number): Build {
  return hasEnded(build) || build.overdueAt !== null ? build : { ...build, overdueAt: now, updatedAt: now };
}

/** Poll `poll` was carried out and the build goes on: the next one is due after `delayMs`. */
export function pollTaken(build: Build, poll: number, delayMs: number, now: number): Build {
  return hasEnded(build) ? build : { ...build, nextPoll: poll + 1, nextPollAt: now + delayMs, updatedAt: now };
}

/** The runner does not know the build. */
export function forgotten(build: Build, now: number): Build {
  return move(build, 'forgotten', 'failed', now, { reason: 'unknown to the runner' });
}

/** Its deadline passed. */
export function timedOut(build: Build, now: number): Build {
  return move(build, 'timedOut', 'failed', now, { reason: timedOutReason });
}

/** The message that would have taken it further was given up. */
export function deadLettered(build: Build, reason: string, now: number): Build {
  return move(build, 'deadLettered', 'failed', now, { reason: cut(reason) });
}

/** Somebody wants it cancelled; the first one's reason stays. */
export function cancelRequested(build: Build, reason: string | null, now: number): Build {
  if (hasEnded(build) || build.cancelRequestedAt !== null) return build;
  return { ...build, cancelRequestedAt: now, cancelReason: reason, updatedAt: now };
}

/** The runner took the cancel request. */
export function cancelSent(build: Build, now: number): Build {
  return hasEnded(build) ? build : { ...build, cancelSentAt: now, updatedAt: now };
}

/** Its end went through `build.finished`. */
export function announced(build: Build, now: number): Build {
  return hasEnded(build) ? { ...build, announced: true, updatedAt: now } : build;
}

/** The sweep is about to send one of its messages again. */
export function reminded(build: Build, now: number): Build {
  return { ...build, remindedAt: now, updatedAt: now };
}

/** True when somebody asked for a cancel that the runner has not heard of yet. */
export function owesCancel(build: Build): boolean {
  return build.cancelRequestedAt !== null && build.cancelSentAt === null && !hasEnded(build);
}

const maxMetadataEntries = 64;
const maxTextBytes = 2_048;

/**
 * What a runner says is kept in every record and sent to every group. Without a bound one chatty runner makes
 * an end that is too large for any message, so that nobody ever learns of it. 64 names and values of 2 048 bytes are a
 * quarter of what `build.finished` takes.
 */
function bounded(metadata: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(metadata)
      .slice(0, maxMetadataEntries)
      .map(([name, value]) => [cut(name), cut(value)]),
  );
}

/** As long as its JSON has at most `maxTextBytes`: there one control character has 6 bytes, and colours are full of them. */
function cut(text: string): string {
  if (text.length <= maxTextBytes && jsonBytes(text.toWellFormed()) <= maxTextBytes) return text.toWellFormed();
  let kept = '';
  let bytes = jsonBytes('…');
  // No character has less than a byte, so that of a megabyte no more than this is looked at.
  for (const character of text.slice(0, maxTextBytes).toWellFormed()) {
    bytes += jsonBytes(character);
    if (bytes > maxTextBytes) break;
    kept += character;
  }
  return `${kept}…`;
}

function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - '""'.length;
}

function move(build: Build, by: Move, to: BuildState, now: number, changes: Partial<Build>): Build {
  const known = (moves[by] as readonly (readonly [BuildState, BuildState])[]).some(
    ([from, toState]) => from === build.status && toState === to,
  );
  if (!known) return build;
  const next: Build = { ...build, ...changes, status: to, updatedAt: now };
  return hasEnded(next) ? { ...next, nextPollAt: null, finishedAt: now } : next;
}
