import { z } from 'zod';
import { type BuildRunner, buildIdSchema, buildStatuses } from '../buildrunner/index.js';

/**
 * The same runner, whose answers are what their types say: a runner is somebody else's code, often a thin layer over
 * HTTP. Without this, an id that fits no message or a status that nobody knows is recorded and hangs its build. A wrong
 * answer rejects, so that it is asked for again and in the end fails the build with this as its reason.
 */
export function checkedRunner(runner: BuildRunner): BuildRunner {
  return {
    async trigger(request, options) {
      const answer: unknown = await runner.trigger(request, options);
      const read = buildIdSchema.safeParse(answer);
      if (read.success) return read.data;
      throw new Error(
        `cannot trigger build "${request.idempotencyKey}": the runner answered no build id (${flawsOf(read.error)}); ` +
          'have its trigger answer buildId(name)',
      );
    },
    async status(buildId, options) {
      const answer: unknown = await runner.status(buildId, options);
      const read = reportSchema.safeParse(answer);
      if (read.success) return read.data;
      throw new Error(
        `cannot ask the status of build "${buildId.id}": the runner answered no report (${flawsOf(read.error)}); ` +
          'have its status answer { status, metadata }',
      );
    },
    async cancel(buildId, options) {
      await runner.cancel(buildId, options);
    },
  };
}

const reportSchema = z.object(
  {
    status: z.enum(buildStatuses, `must be one of ${buildStatuses.join(', ')}`),
    metadata: z.record(z.string(), z.string('must be a string'), 'must be a record of strings'),
  },
  'must be { status, metadata }',
);

/** At most a few: a report may have thousands of wrong entries. */
function flawsOf(error: z.ZodError): string {
  return error.issues
    .slice(0, 3)
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join('.').slice(0, 100)}: ${message}`))
    .join('; ');
}
