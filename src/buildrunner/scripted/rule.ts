import { z } from 'zod';
import type { TriggerRequest } from '../trigger-request.js';
import { type Faults, faultsSchema } from './faults.js';
import { type OutcomeScript, outcomeScriptSchema } from './outcome.js';

/** The whole string, a regular expression that finds something in it, or a function that says yes. */
export type Pattern = string | RegExp | ((value: string) => boolean);

/** A rule holds for a request when everything named here matches; naming nothing matches every request. */
export interface RuleMatch {
  /** Of a change under test; `commitSha`, when named too, has to match the same one. */
  readonly repoUrl?: Pattern | undefined;
  readonly commitSha?: Pattern | undefined;
  readonly queueName?: Pattern | undefined;
  /** Per name; a name that the request does not carry matches nothing. */
  readonly metadata?: Readonly<Record<string, Pattern>> | undefined;
  /** For what the others cannot say. Has to answer the same for the same request. */
  readonly request?: ((request: TriggerRequest) => boolean) | undefined;
}

/** What happens to the builds it matches. Of several rules the first that matches decides. */
export interface ScriptedRule {
  readonly when: RuleMatch;
  /** The runner's default mix when left out. */
  readonly outcome?: OutcomeScript | undefined;
  /** In place of the runner's faults, for calls about these builds. */
  readonly faults?: Faults | undefined;
}

/** Pure, as long as the functions in the rules are. */
export function firstMatch(rules: readonly ScriptedRule[], request: TriggerRequest): ScriptedRule | null {
  return rules.find((rule) => matchesRequest(rule.when, request)) ?? null;
}

function matchesRequest(when: RuleMatch, request: TriggerRequest): boolean {
  return (
    matches(when.queueName, request.queueName) &&
    request.head.some((change) => matches(when.repoUrl, change.repoUrl) && matches(when.commitSha, change.commitSha)) &&
    Object.entries(when.metadata ?? {}).every(([name, pattern]) => matches(pattern, request.metadata[name])) &&
    (when.request === undefined || when.request(request))
  );
}

function matches(pattern: Pattern | undefined, value: string | undefined): boolean {
  if (pattern === undefined) return true;
  if (value === undefined) return false;
  if (typeof pattern === 'string') return pattern === value;
  if (typeof pattern === 'function') return pattern(value);
  // Not `test`, which starts a global expression where its last match ended: every second call would differ.
  return value.search(pattern) >= 0;
}

const patternSchema = z.custom<Pattern>(
  (value) => typeof value === 'string' || value instanceof RegExp || typeof value === 'function',
  { error: 'must be a string, a regular expression or a function' },
);

export const ruleSchema: z.ZodType<ScriptedRule> = z.strictObject({
  when: z.strictObject({
    repoUrl: patternSchema.optional(),
    commitSha: patternSchema.optional(),
    queueName: patternSchema.optional(),
    metadata: z.record(z.string(), patternSchema).optional(),
    request: z
      .custom<(request: TriggerRequest) => boolean>((value) => typeof value === 'function', {
        error: 'must be a function of the request',
      })
      .optional(),
  }),
  outcome: outcomeScriptSchema.optional(),
  faults: faultsSchema.optional(),
});
