import { z } from 'zod';
import type { BuildStatus, TerminalBuildStatus } from '../build-status.js';
import { type DurationMs, drawDurationMs, durationSchema, probabilitySchema } from './duration.js';

/** How a scripted build goes: `accepted`, then `running`, then its end, unless it is cancelled before. */
export type OutcomeScript = EndingScript | EndlessScript;

export interface EndingScript extends ScriptStart {
  readonly end: TerminalBuildStatus;
  /** How long it is `running`; 0 when left out. */
  readonly runningMs?: DurationMs | undefined;
  /** Added to what `status` answers once the build has come to this end. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** Runs until somebody cancels it: for deadlines. */
export interface EndlessScript extends ScriptStart {
  readonly end: 'never';
}

/** What every script has. */
export interface ScriptStart {
  /** How long it is `accepted`; 0 when left out. */
  readonly acceptedMs?: DurationMs | undefined;
  /** How long after the first cancel it stops; the runner's `cancelledAfterMs` when left out. */
  readonly cancelledAfterMs?: DurationMs | undefined;
}

/** What builds do that no rule speaks of. Shares are of all such builds; the rest succeeds. */
export interface OutcomeMix {
  /** Default: 500 to 5 000 ms. */
  readonly acceptedMs?: DurationMs | undefined;
  /** Default: 2 000 to 60 000 ms. */
  readonly runningMs?: DurationMs | undefined;
  /** Default: 0.15. */
  readonly failedShare?: number | undefined;
  /** Cancelled by the runner itself. Default: 0. */
  readonly cancelledShare?: number | undefined;
}

/** A script with every number drawn: from here on a build is a function of time. */
export interface OutcomePlan {
  readonly acceptedMs: number;
  /** Infinity when it never ends. */
  readonly runningMs: number;
  readonly end: TerminalBuildStatus;
  readonly cancelledAfterMs: number;
  readonly metadata: Readonly<Record<string, string>>;
}

const defaultMix = {
  acceptedMs: [500, 5_000],
  runningMs: [2_000, 60_000],
  failedShare: 0.15,
  cancelledShare: 0,
} as const satisfies OutcomeMix;

/** The script a mix gives to one build. Pure; `draw` answers a number in [0, 1) per purpose. */
export function drawOutcome(mix: OutcomeMix, hasBase: boolean, draw: (purpose: string) => number): OutcomeScript {
  const { acceptedMs = defaultMix.acceptedMs, runningMs = defaultMix.runningMs } = mix;
  const { failedShare = defaultMix.failedShare, cancelledShare = defaultMix.cancelledShare } = mix;
  const luck = draw('end');
  if (luck < failedShare) {
    // Now and then a build fails because its base was not as good as it was assumed to be.
    const blame = hasBase && draw('blame') < 0.2 ? 'base' : 'head';
    return { acceptedMs, runningMs, end: 'failed', metadata: { blame } };
  }
  return { acceptedMs, runningMs, end: luck < failedShare + cancelledShare ? 'cancelled' : 'succeeded' };
}

/** Draws the durations of a script. Pure; `draw` answers a number in [0, 1) per purpose. */
export function planOutcome(
  script: OutcomeScript,
  cancelledAfterMs: DurationMs,
  draw: (purpose: string) => number,
): OutcomePlan {
  const start = {
    acceptedMs: drawDurationMs(script.acceptedMs ?? 0, draw('acceptedMs')),
    cancelledAfterMs: drawDurationMs(script.cancelledAfterMs ?? cancelledAfterMs, draw('cancelledAfterMs')),
  };
  if (script.end === 'never') return { ...start, runningMs: Number.POSITIVE_INFINITY, end: 'cancelled', metadata: {} };
  const runningMs = drawDurationMs(script.runningMs ?? 0, draw('runningMs'));
  const blame = script.end === 'failed' ? { blame: 'head' } : {};
  return { ...start, runningMs, end: script.end, metadata: { ...blame, ...script.metadata } };
}

/** Where a planned build stands at one instant. */
export interface OutcomeState {
  readonly status: BuildStatus;
  /** When it came to its end and whether that was its own, or null before. */
  readonly ended: { readonly at: number; readonly byCancel: boolean } | null;
}

/**
 * The state at `now` of a build that started at `startedAt` and was first asked to stop at
 * `cancelAskedAt` (null: never). Pure. Its own end wins a tie, because somebody may have seen it already.
 */
export function stateAt(plan: OutcomePlan, startedAt: number, cancelAskedAt: number | null, now: number): OutcomeState {
  const runsAt = startedAt + plan.acceptedMs;
  const ownEndAt = runsAt + plan.runningMs;
  const stoppedAt = cancelAskedAt === null ? Number.POSITIVE_INFINITY : cancelAskedAt + plan.cancelledAfterMs;
  if (ownEndAt <= now && ownEndAt <= stoppedAt) return { status: plan.end, ended: { at: ownEndAt, byCancel: false } };
  if (stoppedAt <= now) return { status: 'cancelled', ended: { at: stoppedAt, byCancel: true } };
  return { status: now < runsAt ? 'accepted' : 'running', ended: null };
}

const scriptStart = { acceptedMs: durationSchema.optional(), cancelledAfterMs: durationSchema.optional() };

export const outcomeScriptSchema: z.ZodType<OutcomeScript> = z.discriminatedUnion(
  'end',
  [
    z.strictObject({
      ...scriptStart,
      end: z.enum(['succeeded', 'failed', 'cancelled']),
      runningMs: durationSchema.optional(),
      metadata: z.record(z.string(), z.string()).optional(),
    }),
    z.strictObject({ ...scriptStart, end: z.literal('never') }),
  ],
  { error: 'must be an outcome whose end is "succeeded", "failed", "cancelled" or "never"' },
);

export const outcomeMixSchema: z.ZodType<OutcomeMix> = z
  .strictObject({
    acceptedMs: durationSchema.optional(),
    runningMs: durationSchema.optional(),
    failedShare: probabilitySchema.optional(),
    cancelledShare: probabilitySchema.optional(),
  })
  .refine(
    ({ failedShare = defaultMix.failedShare, cancelledShare = defaultMix.cancelledShare }) =>
      failedShare + cancelledShare <= 1,
    { error: `must have shares that add up to 1 at most (failedShare is ${defaultMix.failedShare} when left out)` },
  );
