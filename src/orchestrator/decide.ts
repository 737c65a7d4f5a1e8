import type { DeadLetterNotice } from '../queue/index.js';
import { type Build, type EndedBuild, hasEnded, isPolled, type TriggeredBuild } from './build.js';
import { signalOfName } from './names.js';
import type { BuildSignal } from './topics.js';

/*
 * What each stage does, as tables without I/O: `docs/decisions/poll-chain.md` gives the reasons. `build` is the
 * record as it stands, null when there is none; `secondHandOut` says that an earlier hand-out of the same message
 * may have come as far as the store.
 */

export type SignalDecision =
  /** The store lags behind or lost it: fail, so that the message comes again. */
  | { readonly do: 'fail'; readonly why: string }
  | { readonly do: 'drop'; readonly why: string }
  /** Its end is stored and perhaps was never sent on. */
  | { readonly do: 'announce'; readonly build: EndedBuild }
  /** The next poll is stored and perhaps was never sent. */
  | { readonly do: 'resend-poll'; readonly build: TriggeredBuild }
  /** Ask the runner; `poll` is the number of the poll that this is, null for a push, which moves no chain. */
  | { readonly do: 'look'; readonly build: TriggeredBuild; readonly poll: number | null }
  | { readonly do: 'time-out'; readonly build: TriggeredBuild };

/** The table of the poll chain. */
export function decideSignal(build: Build | null, signal: BuildSignal, secondHandOut: boolean): SignalDecision {
  if (build === null) return { do: 'fail', why: 'no build is recorded under this id' };
  if (hasEnded(build)) return announceOrDrop(build, secondHandOut);
  if (!isPolled(build)) return { do: 'fail', why: 'the build is recorded as not triggered yet' };
  if (signal.kind === 'deadline') return { do: 'time-out', build };
  if (signal.kind === 'push') return { do: 'look', build, poll: null };
  // Above it: the store was rolled back. The message is the younger witness, so its number counts.
  if (signal.poll >= build.nextPoll) return { do: 'look', build, poll: signal.poll };
  // Two below and less: the poll in between was carried out, so this one's successor had been sent.
  if (signal.poll === build.nextPoll - 1 && secondHandOut) return { do: 'resend-poll', build };
  return { do: 'drop', why: `poll ${signal.poll} was carried out, ${build.nextPoll} is next` };
}

export type RequestedDecision =
  | { readonly do: 'fail'; readonly why: string }
  | { readonly do: 'drop'; readonly why: string }
  | { readonly do: 'trigger'; readonly build: Build }
  /** The trigger is stored; the deadline and the first poll were perhaps never sent, or the first poll certainly was. */
  | { readonly do: 'resend'; readonly build: TriggeredBuild; readonly poll: boolean };

/** The table of the build stage. */
export function decideRequested(build: Build | null, secondHandOut: boolean): RequestedDecision {
  if (build === null) return { do: 'fail', why: 'no request is recorded under this id' };
  if (hasEnded(build)) return { do: 'drop', why: `the build is ${build.status} already` };
  if (!isPolled(build)) return { do: 'trigger', build };
  if (!secondHandOut) return { do: 'drop', why: 'the build is triggered already' };
  // Where poll 1 was carried out it had been sent; its deadline may still be missing, for an outbox that does
  // not leave in one instant can leave by halves.
  return { do: 'resend', build, poll: build.nextPoll === 1 };
}

export type DeadLetterDecision =
  | { readonly do: 'drop'; readonly why: string }
  | { readonly do: 'announce'; readonly build: EndedBuild }
  | { readonly do: 'fail-build'; readonly build: Build; readonly reason: string }
  | { readonly do: 'time-out'; readonly build: Build }
  /** What the message did is stored; what it would have sent with its ack may be missing. */
  | { readonly do: 'resend'; readonly build: TriggeredBuild; readonly poll: boolean; readonly deadline: boolean }
  /** Nobody will mark it as announced any more: without this the sweep would send it again for ever. */
  | { readonly do: 'mark-announced'; readonly build: EndedBuild };

/** The orchestrator's own groups; a dead letter of any other group is its owner's affair. */
const ownGroup = 'default';

/**
 * The table of the dead letters. A message that was given up fails its build only when it was the one that
 * would have taken the build further: a duplicate or a push that dies leaves the chain as it was, and one that died
 * after its work was stored, in a crash loop, gets what it owed sent for it.
 */
export function decideDeadLetter(
  build: Build | null,
  notice: DeadLetterNotice,
  secondHandOut: boolean,
): DeadLetterDecision {
  if (notice.group !== ownGroup) return { do: 'drop', why: `group "${notice.group}" is not the orchestrator's` };
  if (build === null) return { do: 'drop', why: 'no build is recorded for it' };
  if (notice.topic === 'build.finished') {
    return hasEnded(build) && !build.announced
      ? { do: 'mark-announced', build }
      : { do: 'drop', why: `the build is ${build.status}` };
  }
  if (hasEnded(build)) return announceOrDrop(build, secondHandOut);
  const reason = `dead letter of "${notice.topic}" (${notice.cause}): ${notice.reason}`;
  if (!isPolled(build)) {
    // A signal of a build that is not triggered: the store was rolled back, and the sweep has it triggered again.
    return notice.topic === 'build.signal'
      ? { do: 'drop', why: 'the build is recorded as not triggered yet' }
      : { do: 'fail-build', build, reason };
  }
  if (notice.topic === 'jobs') return { do: 'drop', why: 'the build is triggered already' };
  if (notice.topic !== 'build.signal') return { do: 'resend', build, poll: build.nextPoll === 1, deadline: true };
  const signal = signalOfName(build.requestId, notice.id);
  if (signal.kind === 'deadline') return { do: 'time-out', build };
  if (signal.kind === 'push') return { do: 'drop', why: 'a push is a hint; the chain of polls goes on' };
  if (signal.poll >= build.nextPoll) return { do: 'fail-build', build, reason };
  if (signal.poll === build.nextPoll - 1) return { do: 'resend', build, poll: true, deadline: false };
  return { do: 'drop', why: `poll ${signal.poll} is long past, the chain went on` };
}

/** Which message of a build is missing, as far as a look at the clock can tell; null when none seems to be. */
export type Reminder = 'requested' | 'poll' | 'deadline' | 'finished';

/** The table of the sweep. */
export function decideSweep(build: Build, now: number, graceMs: number): Reminder | null {
  const overdue = (at: number | null): boolean => at !== null && Math.max(at, build.remindedAt ?? at) + graceMs < now;
  if (hasEnded(build)) return !build.announced && overdue(build.finishedAt) ? 'finished' : null;
  if (!isPolled(build)) return overdue(build.createdAt) ? 'requested' : null;
  if (overdue(build.deadlineAt)) return 'deadline';
  return overdue(build.nextPollAt) ? 'poll' : null;
}

function announceOrDrop(build: EndedBuild, secondHandOut: boolean) {
  return secondHandOut && !build.announced
    ? ({ do: 'announce', build } as const)
    : ({ do: 'drop', why: `the build is ${build.status} already` } as const);
}
