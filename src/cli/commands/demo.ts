import { constants } from 'node:os';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { demonstrationDeadlineMs } from '../../buildrunner/index.js';
import { hasEnded } from '../../orchestrator/index.js';
import { QueueError } from '../../queue/index.js';
import { buildsJson, writeBuilds } from '../builds-report.js';
import { counted } from '../counted.js';
import {
  addCommonFlags,
  type CommonFlags,
  loggerOf,
  millisecondsOption,
  type RunnerName,
  runnerOption,
} from '../flags.js';
import { type JobsFile, readJobsFile } from '../jobs-file.js';
import type { Cli } from '../program.js';
import { showProgress } from '../progress.js';
import { runBuilds } from '../run-builds.js';
import { listenForStop } from '../stop-requests.js';
import { Tally } from '../tally.js';
import { writeJson } from '../write-json.js';

interface DemoFlags extends CommonFlags {
  readonly runner: RunnerName;
  readonly jobs: string;
  readonly pollAcceptedMs: number;
  readonly pollRunningMs: number;
  readonly deadlineMs: number;
}

/** Beside `src` and `dist` alike. */
const exampleJobs = fileURLToPath(new URL('../../../examples/jobs.jsonl', import.meta.url));

/** Shorter than `orchestrate`'s, which suit builds of minutes: these take seconds, and somebody watches. */
const pollAcceptedMs = 500;
const pollRunningMs = 1_000;

export function addDemo(program: Command, cli: Cli): void {
  const command = program
    .command('demo')
    .description(
      'Runs the main job where you can watch it: puts the job requests of a file on a queue, has each built, polls every build through the queue to its end, and prints what became of them. "npm start" runs it. The queue lives in this process alone, unless --queue names another; QUEUE_URL is not looked at, so that a demonstration never meets real requests.',
    )
    .addOption(runnerOption('scripted'))
    .option('--jobs <file>', 'job requests, one JSON document a line', relative(process.cwd(), exampleJobs))
    .addOption(millisecondsOption('--poll-accepted-ms', 'time to the next poll of an accepted build', pollAcceptedMs))
    .addOption(millisecondsOption('--poll-running-ms', 'time to the next poll of a running build', pollRunningMs))
    .addOption(millisecondsOption('--deadline-ms', 'a build that takes longer is cancelled', demonstrationDeadlineMs))
    .addHelpText(
      'after',
      '\nExamples:\n  $ npm start -- --runner noop\n  $ signalbox demo --jobs requests.jsonl --json',
    );
  addCommonFlags(command, 'the queue (default: memory:, which ends with the command)').action((flags: DemoFlags) =>
    demo(cli, flags),
  );
}

async function demo({ io, exitWith }: Cli, flags: DemoFlags): Promise<void> {
  const jobs = await readJobsFile(flags.jobs);
  const tally = new Tally();
  const stop = listenForStop(io);
  // Log lines and a line that is drawn over would spoil each other.
  const endProgress = flags.verbose ? () => {} : showProgress(io, io.clock, tally, jobs.lines.length);
  try {
    const run = await runBuilds({
      ...flags,
      io,
      url: flags.queue ?? 'memory:',
      jobs,
      buildDeadlineMs: flags.deadlineMs,
      stopWithinMs: 5_000,
      concurrency: 16,
      untilIdle: true,
      logger: loggerOf(io, flags),
      tally,
      stop: stop.signal,
    });
    endProgress();
    if (flags.json) {
      writeJson(io.stdout, { runner: flags.runner, jobs: jobsJson(jobs), ...buildsJson(run, tally) });
    } else writeBuilds(io, run, tally);
  } finally {
    endProgress();
    stop.release();
  }
  const received = stop.received();
  if (received !== null) {
    io.stderr.write(`signalbox: stopped by ${received} before all builds had ended\n`);
    exitWith(128 + constants.signals[received]);
  } else checkOutcome(jobs, tally);
}

function jobsJson({ path, lines }: JobsFile) {
  const malformed = lines.filter(({ requestId }) => requestId === null).length;
  return { file: path, lines: lines.length, malformed };
}

/** Every request an ended build, every other line a dead letter: what the demonstration is there to show. */
function checkOutcome({ lines }: JobsFile, tally: Tally): void {
  const deadLetters = new Set(tally.deadLetters.map(({ id }) => id));
  const unended = lines.filter(({ requestId }) => {
    const build = requestId === null ? null : tally.build(requestId);
    return requestId !== null && (build === null || !hasEnded(build));
  });
  const unburied = lines.filter(({ id, requestId }) => requestId === null && !deadLetters.has(id));
  if (unended.length === 0 && unburied.length === 0) return;
  throw new QueueError(
    `cannot finish the demonstration: ${counted(unended.length, 'request')} without an ended build and ${counted(unburied.length, 'malformed line')} without a dead letter; see that no other orchestrator reads this queue`,
    { code: 'internal' },
  );
}
