import { z } from 'zod';
import type { Clock } from '../../queue/clock.js';
import type { Seed } from './chance.js';
import { type DurationMs, durationSchema } from './duration.js';
import { type Faults, faultsSchema } from './faults.js';
import { type OutcomeMix, outcomeMixSchema } from './outcome.js';
import { ruleSchema, type ScriptedRule } from './rule.js';

/** Everything that decides what a scripted runner does. */
export interface ScriptedRunnerOptions {
  readonly clock: Clock;
  /** The same seed, idempotency keys and times of calls give the same ids, outcomes, durations and faults. */
  readonly seed: Seed;
  /** The first that matches a request decides. Default: none. */
  readonly rules?: readonly ScriptedRule[] | undefined;
  /** What builds do that no rule gives an outcome to. Default: the defaults of the mix. */
  readonly default?: OutcomeMix | undefined;
  /** For calls about builds whose rule has no faults of its own. Default: none. */
  readonly faults?: Faults | undefined;
  /** How long after the first cancel a build stops, where its script does not say. Default: 200 ms. */
  readonly cancelledAfterMs?: DurationMs | undefined;
}

export type CompleteScriptedRunnerOptions = {
  readonly [Name in keyof ScriptedRunnerOptions]-?: NonNullable<ScriptedRunnerOptions[Name]>;
};

/** Fills in the defaults, or throws a `TypeError` that names every bad option and what it must be. Pure. */
export function completeOptions(options: ScriptedRunnerOptions): CompleteScriptedRunnerOptions {
  const { success, data, error } = optionsSchema.safeParse(options);
  if (!success) throw new TypeError(`cannot make a scripted runner: ${error.issues.map(describeIssue).join('; ')}`);
  const { clock, seed, rules = [], faults = {}, cancelledAfterMs = 200 } = data;
  return { clock, seed, rules, faults, cancelledAfterMs, default: data.default ?? {} };
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const at = issue.path.length === 0 ? 'the options' : `option ${z.core.toDotPath(issue.path)}`;
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.map((key) => `"${key}"`).join(', ');
    return `${at} must not have ${names}, which means nothing here; take it out or correct its spelling`;
  }
  return `${at} ${/^must /.test(issue.message) ? issue.message : `must be right: ${issue.message}`}; correct it`;
}

const clockSchema = z.custom<Clock>(
  (value) => {
    const clock = value as Partial<Clock> | null | undefined;
    return typeof clock?.now === 'function' && typeof clock.schedule === 'function';
  },
  { error: 'must be a clock: systemClock, or a VirtualClock in tests' },
);

const seedSchema = z.custom<Seed>((value) => typeof value === 'string' || Number.isFinite(value), {
  error: 'must be a string or a finite number',
});

const optionsSchema: z.ZodType<ScriptedRunnerOptions> = z.strictObject({
  clock: clockSchema,
  seed: seedSchema,
  rules: z.array(ruleSchema).optional(),
  default: outcomeMixSchema.optional(),
  faults: faultsSchema.optional(),
  cancelledAfterMs: durationSchema.optional(),
});
