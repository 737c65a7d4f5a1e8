import { type Command, Option } from 'commander';
import { QueueError } from '../../queue/index.js';
import { buildsJson } from '../builds-report.js';
import {
  addCommonFlags,
  type CommonFlags,
  type LogLevel,
  logLevels,
  logTo,
  millisecondsOption,
  queueUrl,
  type RunnerName,
  runnerOption,
  wholeNumberOption,
} from '../flags.js';
import { readJobsFile } from '../jobs-file.js';
import type { Cli } from '../program.js';
import { runBuilds } from '../run-builds.js';
import { listenForStop } from '../stop-requests.js';
import { Tally } from '../tally.js';
import { writeJson } from '../write-json.js';

interface OrchestrateFlags extends CommonFlags {
  readonly runner: RunnerName;
  readonly jobs?: string;
  readonly untilIdle?: boolean;
  readonly pollAcceptedMs: number;
  readonly pollRunningMs: number;
  readonly deadlineMs: number;
  readonly concurrency: number;
  readonly stopWithinMs: number;
  readonly logLevel: LogLevel;
}

export function addOrchestrate(program: Command, cli: Cli): void {
  const command = program
    .command('orchestrate')
    .description(
      'Takes job requests from the queue and sees their builds through to the end, until SIGTERM or SIGINT: then it takes nothing new, lets what is in hand finish, and exits with 0. A second signal ends it at once, with 1. Logs are JSON lines on stderr.',
    )
    .addOption(runnerOption('noop'))
    .option('--jobs <file>', 'put these job requests on the queue first, one JSON document a line')
    .option('--until-idle', 'end when no request is waiting and every build has ended')
    .addOption(millisecondsOption('--poll-accepted-ms', 'time to the next poll of an accepted build', 5_000))
    .addOption(millisecondsOption('--poll-running-ms', 'time to the next poll of a running build', 2_000))
    .addOption(millisecondsOption('--deadline-ms', 'a build that takes longer is cancelled', 6 * 60 * 60 * 1_000))
    .addOption(wholeNumberOption('--concurrency <n>', 'messages of each topic worked on at once', 16, 1, 1_000))
    .addOption(millisecondsOption('--stop-within-ms', 'how long handlers may go on once asked to stop', 30_000))
    .addOption(new Option('--log-level <level>', 'the least that is logged').choices(logLevels).default('info'))
    .addHelpText(
      'after',
      '\nExample:\n  $ signalbox orchestrate --queue memory: --jobs examples/jobs.jsonl --until-idle',
    );
  addCommonFlags(command, 'the queue (default: QUEUE_URL; with --jobs, else memory:)').action(
    (flags: OrchestrateFlags) => orchestrate(cli, flags),
  );
}

async function orchestrate({ io }: Cli, flags: OrchestrateFlags): Promise<void> {
  const jobs = flags.jobs === undefined ? null : await readJobsFile(flags.jobs);
  const url = jobs !== null && !flags.queue && !io.env.QUEUE_URL ? 'memory:' : queueUrl('orchestrate', flags, io.env);
  if (jobs === null && /^memory:(?:\/\/)?$/i.test(url)) {
    throw new QueueError(
      "cannot orchestrate: a memory: queue is this process's own, so no request would ever reach it; name another one with --queue, or give it --jobs FILE",
      { code: 'unsupported', backend: 'memory' },
    );
  }
  const tally = new Tally();
  const stop = listenForStop(io);
  try {
    const run = await runBuilds({
      io,
      url,
      runner: flags.runner,
      jobs,
      pollAcceptedMs: flags.pollAcceptedMs,
      pollRunningMs: flags.pollRunningMs,
      buildDeadlineMs: flags.deadlineMs,
      stopWithinMs: flags.stopWithinMs,
      concurrency: flags.concurrency,
      untilIdle: flags.untilIdle === true,
      logger: logTo(io, flags.logLevel),
      tally,
      stop: stop.signal,
    });
    if (flags.json) writeJson(io.stdout, { runner: flags.runner, ...buildsJson(run, tally) });
  } finally {
    stop.release();
  }
}
