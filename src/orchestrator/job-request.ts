import { z } from 'zod';

/** The version of job requests that this release reads and writes; also the routing key they travel under. */
export const jobRequestVersion = 'jobrequest.v1';

const oneLine = (maxLength: number) =>
  z
    .string()
    .min(1, 'must not be empty')
    .max(maxLength, `must have at most ${maxLength} characters`)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must have no control characters and no broken Unicode');

/** Absent and null are one: a foreign writer that serialises its optional fields sends null. */
const optionalLine = (maxLength: number) =>
  oneLine(maxLength)
    .nullish()
    .transform((value) => value ?? undefined);

/**
 * The request for one build, version 1, as forges' integrations and people send it. Fields that this
 * release does not know are tolerated and left out, since later writers may add some; a version that it
 * does not know is refused, since a later version may mean something else by the same fields.
 *
 * The `request_id` is read in any case and kept in lower case, as two spellings of a UUID are one request.
 * `workflow_job_id` may come as a number, which is how some forges count.
 */
export const jobRequestSchema = z.object({
  schema_version: z
    .literal(jobRequestVersion, {
      error: ({ input }) =>
        `is ${JSON.stringify(input)?.slice(0, 60)}, and this release reads "${jobRequestVersion}" alone; ` +
        'send that, or let a release that knows the other version serve it',
    })
    .default(jobRequestVersion),
  request_id: z
    .guid('must be a UUID, such as c6a93abd-2713-4d12-b76b-f6771968702f')
    .transform((id) => id.toLowerCase()),
  source: z.enum(['github', 'forgejo', 'manual'], 'must be "github", "forgejo" or "manual"'),
  repo_url: oneLine(2_048).regex(/^\S+$/, 'must have no spaces'),
  commit_sha: z.string().regex(/^[0-9a-fA-F]{7,64}$/, 'must be a commit hash: 7 to 64 hexadecimal digits'),
  workflow_path: optionalLine(1_024),
  workflow_job_id: z
    .union([oneLine(255), z.int().transform(String)], 'must be a text or a whole number')
    .nullish()
    .transform((value) => value ?? undefined),
  /** A scheduling hint: becomes the name of the runner's queue. */
  runs_on: optionalLine(255),
  submitted_at: z.iso.datetime({
    offset: true,
    error: 'must be a timestamp with Z or an offset, such as 2026-01-07T08:13:36Z',
  }),
});

/** What a publisher of job requests passes. */
export type JobRequestInput = z.input<typeof jobRequestSchema>;

/** A job request with its defaults filled in. */
export type JobRequest = z.output<typeof jobRequestSchema>;

/** Where a request is to be built, for runners and poll delays: its `runs_on`, or `default`. */
export function queueNameOf(request: JobRequest): string {
  return request.runs_on ?? 'default';
}
