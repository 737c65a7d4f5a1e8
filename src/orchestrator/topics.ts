import { z } from 'zod';
import { type BuildId, buildIdSchema } from '../buildrunner/index.js';
import { deadLetterNoticeSchema, defineTopic, QueueError } from '../queue/index.js';
import { jobRequestSchema } from './job-request.js';

/** What a message of `build.signal` says about its build. */
export type BuildSignal = { readonly buildId: BuildId } & (
  | { readonly kind: 'poll'; readonly poll: number }
  | { readonly kind: 'deadline' }
  /** From outside, such as a webhook's: look now, and start no chain. */
  | { readonly kind: 'push' }
);

/** A runner's build id is the whole payload of a push, so that a webhook can send what the runner knows. */
const buildSignalSchema = z
  .object({
    id: z.string(),
    poll: z.int('must be a whole number').min(1, 'must be at least 1').optional(),
    deadline: z.literal(true, 'must be true or left out').optional(),
  })
  .refine(({ poll, deadline }) => poll === undefined || deadline === undefined, {
    error: 'must not have both poll and deadline; send two messages',
  })
  .transform(({ id, poll, deadline }, context): BuildSignal => {
    const read = buildIdSchema.safeParse({ id });
    if (!read.success) {
      context.addIssue({
        code: 'custom',
        path: ['id'],
        message: read.error.issues.map(({ message }) => message).join('; '),
      });
      return z.NEVER;
    }
    if (poll !== undefined) return { buildId: read.data, kind: 'poll', poll };
    return { buildId: read.data, kind: deadline ? 'deadline' : 'push' };
  });

const buildRequestedSchema = z.object({ request_id: z.string() });

/** The end of a build, as every group of `build.finished` learns it. May come more than once, as every message. */
export const buildFinishedSchema = z.object({
  /** Null when the build ended before a runner took it. */
  id: z.string().nullable(),
  request_id: z.string(),
  status: z.enum(['succeeded', 'failed', 'cancelled']),
  /** Why, where the runner's status alone does not say: `timed out`, `unknown to the runner`, a dead letter's reason. */
  reason: z.string().nullable(),
  repo_url: z.string(),
  commit_sha: z.string(),
  metadata: z.record(z.string(), z.string()),
  polls: z.number(),
  started_at: z.iso.datetime().nullable(),
  finished_at: z.iso.datetime(),
});

export type BuildFinished = z.output<typeof buildFinishedSchema>;

/** Options of `orchestratorTopics`. */
export interface OrchestratorTopicsOptions {
  /** Groups of `build.finished` beside the orchestrator's own: posters, statistics … Default: none. */
  readonly finishedGroups?: readonly string[] | undefined;
}

/**
 * The five topics of an orchestrator; `openQueue` takes `Object.values` of them. All are unordered: the record's version keeps the steps
 * of a build apart, and order by key would put every poll behind a slow `status` of the same lane.
 *
 * Back-off: a failing runner is asked for 4 to 6 minutes before its build is given up, which is shorter than
 * the sweep's grace, so that the sweep takes no message for lost that is being retried. Notices of dead letters
 * are never given up: what they tell is nowhere else.
 */
export function orchestratorTopics(options: OrchestratorTopicsOptions = {}) {
  const { finishedGroups = [] } = readTopicsOptions(options);
  const dead = defineTopic('build.dead', {
    schema: deadLetterNoticeSchema,
    maxAttempts: Number.POSITIVE_INFINITY,
    backoff: { initialMs: 1_000, factor: 2, maxMs: 60_000 },
  });
  const deadLetters = { notice: dead };
  return Object.freeze({
    jobs: defineTopic('jobs', {
      schema: jobRequestSchema,
      maxAttempts: 12,
      backoff: { initialMs: 1_000, factor: 2, maxMs: 60_000 },
      deadLetters,
    }),
    requested: defineTopic('build.requested', {
      schema: buildRequestedSchema,
      maxAttempts: 12,
      backoff: { initialMs: 1_000, factor: 2, maxMs: 60_000 },
      deadLetters,
    }),
    signal: defineTopic('build.signal', {
      schema: buildSignalSchema,
      maxAttempts: 10,
      backoff: { initialMs: 1_000, factor: 2, maxMs: 60_000 },
      deadLetters,
    }),
    finished: defineTopic('build.finished', {
      schema: buildFinishedSchema,
      groups: Object.fromEntries(['default', ...finishedGroups].map((group) => [group, {}])),
      maxAttempts: 12,
      backoff: { initialMs: 1_000, factor: 2, maxMs: 60_000 },
      deadLetters,
    }),
    dead,
  });
}

/** The topics as `orchestratorTopics` makes them. */
export type OrchestratorTopics = ReturnType<typeof orchestratorTopics>;

const optionsSchema = z.strictObject({
  finishedGroups: z
    .array(
      // As a key of an object it would vanish, and its group with it.
      z
        .string('must be a name')
        .refine((group) => group !== '__proto__', 'must not be "__proto__"; choose another name'),
      'must be a list of names',
    )
    .refine(
      (groups) => !groups.includes('default'),
      'must not name "default", which is the orchestrator\'s own; take it out',
    )
    .refine((groups) => new Set(groups).size === groups.length, 'must name each group once; take the second one out')
    .optional(),
});

function readTopicsOptions(options: OrchestratorTopicsOptions): z.output<typeof optionsSchema> {
  const { success, data, error } = optionsSchema.safeParse(options);
  if (success) return data;
  throw new QueueError(
    `cannot define the orchestrator's topics: ${error.issues.map(({ path, message }) => `${path.join('.') || 'options'}: ${message}`).join('; ')}`,
    { code: 'invalid' },
  );
}
