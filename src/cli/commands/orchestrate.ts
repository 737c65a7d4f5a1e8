import type { Command } from 'commander';
import { QueueError } from '../../queue/index.js';
import { configuredBackend, isPrivateMemory } from '../backend.js';
import { openBuildStore, storeUrlOf } from '../build-store-of.js';
import { buildsJson } from '../builds-report.js';
import { prefetchOf, queueUrlOf } from '../config/foreign-names.js';
import { maskUrl } from '../config/mask-url.js';
import { addSettings } from '../config/setting-option.js';
import { settings } from '../config/settings.js';
import { addCommonFlags, type CommonFlags, configOf } from '../flags.js';
import { readJobsFile } from '../jobs-file.js';
import { logTo } from '../logging.js';
import type { Cli } from '../program.js';
import { runBuilds } from '../run-builds.js';
import { listenForStop } from '../stop-requests.js';
import { Tally } from '../tally.js';
import { writeJson } from '../write-json.js';

interface OrchestrateFlags extends CommonFlags {
  readonly jobs?: string;
  readonly untilIdle?: boolean;
}

export function addOrchestrate(program: Command, cli: Cli): void {
  const command = program
    .command('orchestrate')
    .description(
      'Takes job requests from the queue and sees their builds through to the end, until SIGTERM or SIGINT: then it takes nothing new, lets what is in hand finish, and exits with 0. A second signal ends it at once, with 1. It logs to stderr.',
    )
    .option('--jobs <file>', 'put these job requests on the queue first, one JSON document a line')
    .option('--until-idle', 'end when no request is waiting and every build has ended')
    .addHelpText(
      'after',
      '\nExamples:\n  $ signalbox orchestrate\n  $ signalbox orchestrate --queue memory: --jobs examples/jobs.jsonl --until-idle',
    );
  addSettings(command, [
    settings.store,
    settings.runner,
    settings.pollAcceptedMs,
    settings.pollRunningMs,
    settings.deadlineMs,
    settings.concurrency,
    settings.prefetch,
    settings.stopWithinMs,
    settings.logLevel,
    settings.logJson,
  ]);
  addCommonFlags(command).action((flags: OrchestrateFlags) => orchestrate(cli, flags));
}

async function orchestrate({ io }: Cli, flags: OrchestrateFlags): Promise<void> {
  const config = await configOf(io, flags);
  const jobs = flags.jobs === undefined ? null : await readJobsFile(flags.jobs);
  if (jobs === null && isPrivateMemory(queueUrlOf(config))) {
    throw new QueueError(
      "cannot orchestrate: a memory: queue is this process's own, so no request would ever reach it; name another one with --queue, or give it --jobs FILE",
      { code: 'unsupported', backend: 'memory' },
    );
  }
  const runner = config.get(settings.runner);
  const tally = new Tally();
  const stop = listenForStop(io);
  try {
    const run = await runBuilds({
      io,
      backend: await configuredBackend(config, io),
      store: { name: maskUrl(storeUrlOf(config)), open: () => openBuildStore(config) },
      runner,
      jobs,
      pollAcceptedMs: config.get(settings.pollAcceptedMs),
      pollRunningMs: config.get(settings.pollRunningMs),
      buildDeadlineMs: config.get(settings.deadlineMs),
      stopWithinMs: config.get(settings.stopWithinMs),
      concurrency: config.get(settings.concurrency),
      prefetch: prefetchOf(config),
      untilIdle: flags.untilIdle === true,
      logger: logTo(io, config),
      tally,
      stop: stop.signal,
    });
    if (flags.json) writeJson(io.stdout, { runner, ...buildsJson(run, tally) });
  } finally {
    stop.release();
  }
}
