import { constants } from 'node:os';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, Option } from 'commander';
import { demonstrationDeadlineMs } from '../../buildrunner/index.js';
import { hasEnded } from '../../orchestrator/index.js';
import { QueueError, silentLogger } from '../../queue/index.js';
import { backendOf } from '../backend.js';
import { buildStoreOf } from '../build-store-of.js';
import { buildsJson, writeBuilds } from '../builds-report.js';
import { isAmqpUrl } from '../config/foreign-names.js';
import { maskUrl } from '../config/mask-url.js';
import { type RunnerName, runnerNames, settings } from '../config/settings.js';
import { counted } from '../counted.js';
import { addOutputFlags, type CommonFlags, wholeNumberOption } from '../flags.js';
import { type JobsFile, readJobsFile } from '../jobs-file.js';
import { logFrom } from '../logging.js';
import type { Cli } from '../program.js';
import { showProgress } from '../progress.js';
import { runBuilds } from '../run-builds.js';
import { listenForStop } from '../stop-requests.js';
import { Tally } from '../tally.js';
import { tallyProgress } from '../tally-progress.js';
import { temporaryFile } from '../temporary-file.js';
import { writeJson } from '../write-json.js';

/** Not those of the configuration: a demonstration must never meet real requests. */
interface DemoFlags extends CommonFlags {
  readonly queue?: string;
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
const longestMs = 24 * 60 * 60 * 1_000;

export function addDemo(program: Command, cli: Cli): void {
  const command = program
    .command('demo')
    .description(
      'Runs the main job where you can watch it: puts the job requests of a file on a queue, has each built, polls every build through the queue to its end, and prints what became of them. "npm start" runs it. The queue is a temporary file, removed at the end, unless --queue names another; the environment and signalbox.config.json are not looked at, so that a demonstration never meets real requests.',
    )
    .addOption(new Option('--runner <name>', settings.runner.help).choices(runnerNames).default('scripted'))
    .option('--jobs <file>', 'job requests, one JSON document a line', relative(process.cwd(), exampleJobs))
    .addOption(wholeNumberOption('--poll-accepted-ms <ms>', settings.pollAcceptedMs.help, pollAcceptedMs, 1, longestMs))
    .addOption(wholeNumberOption('--poll-running-ms <ms>', settings.pollRunningMs.help, pollRunningMs, 1, longestMs))
    .addOption(wholeNumberOption('--deadline-ms <ms>', settings.deadlineMs.help, demonstrationDeadlineMs, 1, longestMs))
    .addHelpText(
      'after',
      '\nExamples:\n  $ npm start -- --runner noop\n  $ signalbox demo --jobs requests.jsonl --json',
    );
  command.option('--queue <url>', 'the queue (default: a temporary file)');
  addOutputFlags(command).action((flags: DemoFlags) => demo(cli, flags));
}

async function demo({ io, exitWith }: Cli, flags: DemoFlags): Promise<void> {
  const jobs = await readJobsFile(flags.jobs);
  const file = flags.queue === undefined ? temporaryFile('signalbox-demo-', 'queue.db') : null;
  const url = flags.queue ?? `sqlite:${file?.urlPath}`;
  // A broker keeps no records, and what a demonstration leaves behind nobody looks for.
  const storeUrl = isAmqpUrl(url) ? 'memory:' : url;
  const tally = new Tally();
  const stop = listenForStop(io);
  // Log lines and a line that is drawn over would spoil each other.
  const endProgress = flags.verbose
    ? () => {}
    : showProgress(io, io.clock, () => tallyProgress(tally, jobs.lines.length));
  try {
    const run = await runBuilds({
      ...flags,
      io,
      backend: await backendOf(url, io),
      store: { name: maskUrl(storeUrl), open: () => buildStoreOf(storeUrl) },
      jobs,
      buildDeadlineMs: flags.deadlineMs,
      stopWithinMs: 5_000,
      concurrency: settings.concurrency.byDefault,
      prefetch: settings.prefetch.byDefault,
      untilIdle: true,
      logger: flags.verbose ? logFrom(io, 'info', io.stderr.isTTY !== true) : silentLogger,
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
    file?.remove();
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
