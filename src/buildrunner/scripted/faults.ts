import { z } from 'zod';
import type { RunnerOperation } from '../errors.js';
import { type DurationMs, drawDurationMs, durationSchema, millisecondsSchema, probabilitySchema } from './duration.js';

/** What goes wrong between the runner and its caller. Nothing, when empty. */
export interface Faults {
  /** Calls that fail with `RunnerUnavailableError`: those for which any of these holds. */
  readonly unreachable?: readonly Unreachable[] | undefined;
  /** Calls that are answered late. What was asked takes effect at once, a status is that of the answer's time. */
  readonly slow?: Slow | undefined;
  /** Builds that the runner knows no more, though it still knows their idempotency keys. */
  readonly forgetful?: Forgetful | undefined;
}

/** A call fails when any of the three conditions named here holds; at least one has to be named. */
export interface Unreachable {
  /** All three when left out. */
  readonly operations?: readonly RunnerOperation[] | undefined;
  /** Per call, drawn by the seed, the build (or idempotency key) and how often it was asked before. */
  readonly probability?: number | undefined;
  /** So many first calls of each operation about each build (or, for `trigger`, idempotency key). */
  readonly firstCalls?: number | undefined;
  /** From `fromMs` on and before `toMs`, counted from when the runner was made. */
  readonly windows?: readonly { readonly fromMs: number; readonly toMs: number }[] | undefined;
  /**
   * What gets lost: the `request`, so that nothing happened, or only the `answer`, so that the build
   * started or was cancelled all the same. Default: the request.
   */
  readonly lost?: LostPart | undefined;
}

export type LostPart = 'request' | 'answer';

export interface Slow {
  /** All three when left out. */
  readonly operations?: readonly RunnerOperation[] | undefined;
  readonly delayMs: DurationMs;
  /** Per call. Default: 1. */
  readonly probability?: number | undefined;
}

export interface Forgetful {
  /** Counted from the start of the build; 0 forgets it at once. */
  readonly afterMs: DurationMs;
  /** Per build. Default: 1. */
  readonly probability?: number | undefined;
}

/** One call as the faults see it. */
export interface FaultCall {
  readonly operation: RunnerOperation;
  /** 1 for the first call of this operation about this build or key. */
  readonly nth: number;
  readonly sinceMadeMs: number;
  /** A number in [0, 1) per purpose, the same for the same call. */
  readonly draw: (purpose: string) => number;
}

/** What of a call gets lost, or null when it comes through. Pure. */
export function lostPart(faults: Faults, call: FaultCall): LostPart | null {
  const found = faults.unreachable?.find((unreachable, index) => isUnreachable(unreachable, index, call));
  return found === undefined ? null : (found.lost ?? 'request');
}

function isUnreachable(unreachable: Unreachable, index: number, call: FaultCall): boolean {
  if (!concerns(unreachable.operations, call.operation)) return false;
  const { probability = 0, firstCalls = 0, windows = [] } = unreachable;
  return (
    call.nth <= firstCalls ||
    windows.some(({ fromMs, toMs }) => fromMs <= call.sinceMadeMs && call.sinceMadeMs < toMs) ||
    call.draw(`unreachable ${index}`) < probability
  );
}

/** How late a call is answered; 0 is at once. Pure. */
export function answerDelayMs(faults: Faults, call: FaultCall): number {
  const { slow } = faults;
  if (slow === undefined || !concerns(slow.operations, call.operation)) return 0;
  if (call.draw('slow') >= (slow.probability ?? 1)) return 0;
  return drawDurationMs(slow.delayMs, call.draw('delayMs'));
}

/** How long after its start a build is forgotten; Infinity is never. Pure. */
export function forgottenAfterMs(faults: Faults, draw: (purpose: string) => number): number {
  const { forgetful } = faults;
  if (forgetful === undefined || draw('forgetful') >= (forgetful.probability ?? 1)) return Number.POSITIVE_INFINITY;
  return drawDurationMs(forgetful.afterMs, draw('afterMs'));
}

function concerns(operations: readonly RunnerOperation[] | undefined, operation: RunnerOperation): boolean {
  return operations === undefined || operations.includes(operation);
}

const operationsSchema = z.array(z.enum(['trigger', 'status', 'cancel'])).optional();

const unreachableSchema = z
  .strictObject({
    operations: operationsSchema,
    probability: probabilitySchema.optional(),
    firstCalls: z
      .custom<number>((value) => Number.isSafeInteger(value) && (value as number) >= 0, {
        error: 'must be a whole number of calls, 0 or more',
      })
      .optional(),
    windows: z
      .array(
        z
          .strictObject({ fromMs: millisecondsSchema, toMs: millisecondsSchema })
          .refine(({ fromMs, toMs }) => fromMs < toMs, { error: 'must have a fromMs smaller than its toMs' }),
      )
      .optional(),
    lost: z.enum(['request', 'answer']).optional(),
  })
  .refine(({ probability, firstCalls, windows }) => (probability ?? firstCalls ?? windows) !== undefined, {
    error: 'must name when: a probability, firstCalls or windows',
  });

export const faultsSchema: z.ZodType<Faults> = z.strictObject({
  unreachable: z.array(unreachableSchema).optional(),
  slow: z
    .strictObject({ operations: operationsSchema, delayMs: durationSchema, probability: probabilitySchema.optional() })
    .optional(),
  forgetful: z.strictObject({ afterMs: durationSchema, probability: probabilitySchema.optional() }).optional(),
});
