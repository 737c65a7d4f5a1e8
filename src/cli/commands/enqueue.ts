import { randomUUID } from 'node:crypto';
import { type Command, Option } from 'commander';
import {
  type JobRequestInput,
  jobRequestSchema,
  jobRequestVersion,
  orchestratorTopics,
} from '../../orchestrator/index.js';
import { QueueError } from '../../queue/index.js';
import { withQueue } from '../backend.js';
import { addCommonFlags, type CommonFlags } from '../flags.js';
import { pausedTopics } from '../paused-topics.js';
import type { Cli } from '../program.js';
import { requireDurable } from '../require-durable.js';
import { isoTime, writeJson } from '../write-json.js';

interface EnqueueFlags extends CommonFlags {
  readonly repoUrl: string;
  readonly commitSha: string;
  readonly source: JobRequestInput['source'];
  readonly workflowPath?: string;
  readonly workflowJobId?: string;
  readonly runsOn?: string;
  readonly requestId?: string;
  readonly dryRun?: boolean;
}

export function addEnqueue(program: Command, { io }: Cli): void {
  const command = program
    .command('enqueue')
    .description('Puts one job request on the queue and prints its request id.')
    .requiredOption('--repo-url <url>', 'the repository')
    .requiredOption('--commit-sha <sha>', 'the commit: 7 to 64 hexadecimal digits')
    .addOption(
      new Option('--source <source>', 'who asks for it').choices(['github', 'forgejo', 'manual']).default('manual'),
    )
    .option('--workflow-path <path>', 'the workflow file in the repository')
    .option('--workflow-job-id <id>', "the forge's id of the job")
    .option('--runs-on <label>', "scheduling hint: name of the runner's queue")
    .option('--request-id <uuid>', 'asking twice under one id is one build (default: a new one)')
    .option('--dry-run', 'send nothing; print the message, as a line for a file of --jobs')
    .addHelpText(
      'after',
      '\nExample:\n  $ signalbox enqueue --repo-url https://git.example.org/tern/compass.git --commit-sha c1aecb3 --dry-run',
    );
  addCommonFlags(command).action(async (flags: EnqueueFlags) => {
    const request = requestOf(flags, io.clock.now());
    if (flags.dryRun) {
      if (flags.json) return writeJson(io.stdout, { requestId: request.request_id, sent: false, request });
      return void io.stdout.write(`${JSON.stringify(request)}\n`);
    }
    const topics = orchestratorTopics();
    const paused = await withQueue({ io, flags, topics: Object.values(topics) }, async (queue, _, { jobsKey }) => {
      requireDurable(
        'enqueue a job request',
        queue,
        ', or run "signalbox orchestrate --jobs FILE" with the line that --dry-run prints',
      );
      await queue.publish(topics.jobs, request, {
        id: request.request_id,
        key: request.request_id,
        routingKey: jobsKey,
      });
      return pausedTopics(queue, [topics.jobs]).catch(() => []); // the request is sent, whatever can be told of it
    });
    if (flags.json) writeJson(io.stdout, { requestId: request.request_id, sent: true, request });
    else io.stdout.write(`${request.request_id}\n`);
    for (const topic of paused) {
      io.stderr.write(`"${topic}" is paused: nobody takes this request before "signalbox resume ${topic}"\n`);
    }
  });
}

/** The request as it is sent, or an `invalid` error in the words of the flags. Pure but for a new id. */
function requestOf(flags: EnqueueFlags, now: number): JobRequestInput & { readonly request_id: string } {
  const request = {
    schema_version: jobRequestVersion,
    request_id: (flags.requestId ?? randomUUID()).toLowerCase(),
    source: flags.source,
    repo_url: flags.repoUrl,
    commit_sha: flags.commitSha,
    workflow_path: flags.workflowPath,
    workflow_job_id: flags.workflowJobId,
    runs_on: flags.runsOn,
    submitted_at: isoTime(now),
  } satisfies JobRequestInput;
  const read = jobRequestSchema.safeParse(request);
  if (read.success) return request;
  const faults = read.error.issues.map(({ path, message }) => `${flagOf(String(path[0]))} ${message}`);
  throw new QueueError(`cannot enqueue a job request: ${faults.join('; ')}; correct it, nothing was sent`, {
    code: 'invalid',
  });
}

function flagOf(field: string): string {
  return `--${field.replaceAll('_', '-')}`;
}
