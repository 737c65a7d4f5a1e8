import { z } from 'zod';

/** Milliseconds: as they are, or drawn by the seed from a range that includes its lower end. */
export type DurationMs = number | readonly [fromMs: number, toMs: number];

/** Pure; `random` is in [0, 1). Drawn durations are whole milliseconds. */
export function drawDurationMs(duration: DurationMs, random: number): number {
  if (typeof duration === 'number') return duration;
  const [fromMs, toMs] = duration;
  return Math.min(toMs, Math.floor(fromMs + random * (toMs - fromMs)));
}

export const millisecondsSchema: z.ZodType<number> = z.custom<number>(isMilliseconds, {
  error: 'must be a finite number of milliseconds, 0 or more',
});

export const durationSchema: z.ZodType<DurationMs> = z.custom<DurationMs>(
  (value) => isMilliseconds(value) || isRange(value),
  {
    error:
      'must be milliseconds, finite and 0 or more, or a range [fromMs, toMs] of two such numbers, the smaller first',
  },
);

export const probabilitySchema: z.ZodType<number> = z.custom<number>(
  (value) => typeof value === 'number' && value >= 0 && value <= 1,
  { error: 'must be a number from 0 (never) to 1 (always)' },
);

function isMilliseconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isRange(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [fromMs, toMs] = value as readonly unknown[];
  return isMilliseconds(fromMs) && isMilliseconds(toMs) && fromMs <= toMs;
}
