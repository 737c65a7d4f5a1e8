import { demonstrationRunner, noopRunner } from '../buildrunner/index.js';
import { openQueue } from '../open-queue.js';
import {
  type BuildStore,
  createOrchestrator,
  type OrchestratorTopics,
  orchestratorTopics,
} from '../orchestrator/index.js';
import { type Clock, type Logger, type Queue, QueueError, sleep } from '../queue/index.js';
import type { Backend } from './backend.js';
import type { RunnerName } from './config/settings.js';
import { publishForeign } from './foreign-publisher.js';
import type { CliIo } from './io.js';
import type { JobsFile } from './jobs-file.js';
import { pauseWarning } from './paused-topics.js';
import { removeForgottenTails } from './remove-forgotten-tails.js';
import type { Tally } from './tally.js';

export interface RunBuildsOptions {
  readonly io: CliIo;
  readonly backend: Backend;
  readonly store: StoreSource;
  readonly runner: RunnerName;
  /** Put on the queue once the orchestrator serves it. */
  readonly jobs: JobsFile | null;
  readonly pollAcceptedMs: number;
  readonly pollRunningMs: number;
  readonly buildDeadlineMs: number;
  readonly stopWithinMs: number;
  readonly concurrency: number;
  readonly prefetch: number;
  /** End when nothing is left to do, and not only when asked to. */
  readonly untilIdle: boolean;
  readonly logger: Logger;
  readonly tally: Tally;
  readonly stop: AbortSignal;
}

/** Where the builds are kept. Whoever opens it closes it. */
interface StoreSource {
  /** For the log: without a password. */
  readonly name: string;
  open(): Promise<BuildStore>;
}

export interface BuildsRun {
  readonly backend: string;
  /** Messages that the queue holds for a handler, after ours have stopped; null where it cannot tell. */
  readonly inHand: number | null;
  readonly seconds: number;
}

/** How often a run looks whether anything is left to do. */
const idleCheckMs = 100;

/** How often an orchestrator looks for what killed tails have left behind. */
const tidyEveryMs = 60 * 60 * 1_000;

/** An orchestrator from its start to its end: what `demo` and `orchestrate` have in common. */
export async function runBuilds(options: RunBuildsOptions): Promise<BuildsRun> {
  const { backend } = options;
  const driver = await backend.driver();
  const clock = driver.clock ?? options.io.clock;
  const topics = orchestratorTopics();
  const startedAt = clock.now();
  const queue = await openQueue(driver, { topics: Object.values(topics), logger: options.logger, clock });
  try {
    const store = await options.store.open();
    try {
      const inHand = await serve(options, { backend, name: driver.name, queue, store, topics, clock });
      return { backend: driver.name, inHand, seconds: (clock.now() - startedAt) / 1_000 };
    } finally {
      await store.close();
    }
  } finally {
    await queue.close({ deadlineMs: options.stopWithinMs });
  }
}

interface Opened {
  readonly backend: Backend;
  readonly name: string;
  readonly queue: Queue;
  readonly store: BuildStore;
  readonly topics: OrchestratorTopics;
  readonly clock: Clock;
}

/** Serves until asked to stop, or until nothing is left to do; answers what is in hand then. */
async function serve(
  options: RunBuildsOptions,
  { backend, name, queue, store, topics, clock }: Opened,
): Promise<number | null> {
  const { jobs, logger, tally, stop, stopWithinMs } = options;
  queue.events.on('dead-lettered', ({ id, topic, group, cause, reason }) =>
    tally.deadLetters.push({ id, topic, group, cause, reason }),
  );
  const orchestrator = createOrchestrator({
    queue,
    topics,
    store,
    clock,
    logger,
    runner: options.runner === 'noop' ? noopRunner() : demonstrationRunner({ clock }),
    pollDelays: { acceptedMs: options.pollAcceptedMs, runningMs: options.pollRunningMs },
    buildDeadlineMs: options.buildDeadlineMs,
    concurrency: options.concurrency,
    prefetch: options.prefetch,
    onChange: (build) => tally.see(build),
  });
  let stopTidying = (): void => {};
  try {
    await orchestrator.start();
    stopTidying = tidyHourly(queue, clock, logger);
    const names = Object.values(topics).map((topic) => topic.name);
    logger.info(
      { backend: name, store: options.store.name, runner: options.runner, topics: names },
      'serving job requests',
    );
    await warnOfBuildsOfOthers(store, options.runner, logger);
    const warnOfPauses = pauseWarning({
      ...{ queue, topics: Object.values(topics), clock, logger },
      effect: options.untilIdle
        ? 'what waits in these topics is not worked on, and --until-idle waits until it is'
        : 'what waits in these topics is not worked on',
    });
    await warnOfPauses();
    if (jobs !== null) await feed(jobs, options, { backend, topics, clock });
    await (options.untilIdle
      ? untilIdle({ queue, store, topics, clock, logger, stop, warnOfPauses })
      : untilAborted(stop));
    if (stop.aborted) logger.info({ signal: String(stop.reason) }, 'asked to stop; finishing what is in hand');
  } finally {
    stopTidying();
    await orchestrator.close({ deadlineMs: stopWithinMs });
  }
  const inHand = await inHandOf(queue, topics);
  logger.info(
    { inHand, builds: tally.builds.length, ended: tally.ended, deadLetters: tally.deadLetters.length },
    'stopped',
  );
  return inHand;
}

/** Puts the lines on the queue: all of them also where it is asked to stop meanwhile, if that does not take too long. */
async function feed(
  jobs: JobsFile,
  { logger, tally, stop, stopWithinMs }: RunBuildsOptions,
  { backend, topics, clock }: Pick<Opened, 'backend' | 'topics' | 'clock'>,
): Promise<void> {
  const tooLong = new AbortController();
  let cancel = (): void => {};
  const hurry = (): void => {
    cancel = clock.schedule(() => tooLong.abort(), stopWithinMs);
  };
  if (stop.aborted) hurry();
  else stop.addEventListener('abort', hurry, { once: true });
  try {
    await publishForeign(jobs.lines, {
      driver: await backend.driver(),
      topic: topics.jobs,
      routingKey: backend.jobsKey,
      logger,
      signal: tooLong.signal,
      onSent: (count) => {
        tally.fed = count;
      },
    });
  } finally {
    stop.removeEventListener('abort', hurry);
    cancel();
  }
  const next = jobs.lines[tally.fed];
  if (next !== undefined) {
    throw new QueueError(
      `cannot send all job requests of "${jobs.path}": asked to stop, with ${tally.fed} of ${jobs.lines.length} on the queue after ${stopWithinMs} ms; send those from ${next.id} on again`,
      { code: 'aborted' },
    );
  }
  logger.info({ file: jobs.path, lines: tally.fed }, 'the job requests of the file are on the queue');
}

/** Now, and every hour until the function that it answers is called. */
function tidyHourly({ admin }: Queue, clock: Clock, logger: Logger): () => void {
  let cancel = (): void => {};
  const tidy = (): void => {
    cancel = clock.schedule(tidy, tidyEveryMs);
    removeForgottenTails(admin, clock.now())
      .then((groups) => groups.length > 0 && logger.info({ groups }, 'removed the groups of tails that were killed'))
      .catch((error: unknown) => logger.warn({ error: String(error) }, 'could not look for forgotten groups'));
  };
  tidy();
  return () => cancel();
}

/** The scripted builds live in the process that began them: of those of another one, or of a run before, the runner here knows nothing. */
async function warnOfBuildsOfOthers(store: BuildStore, runner: RunnerName, logger: Logger): Promise<void> {
  if (runner === 'noop') return;
  const { builds } = await store.list({ statuses: ['accepted', 'running'], limit: 1, cursor: null });
  if (builds.length === 0) return;
  logger.warn(
    { runner, first: builds[0]?.requestId },
    'builds are under way that another process has begun: this runner keeps builds in its own process, does not know them, and they will fail; run one orchestrator with it, and let it end its builds',
  );
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  // A signal listener alone keeps no process alive, and a queue without timers or sockets would let it end here.
  const keepAlive = setInterval(() => {}, 2 ** 31 - 1);
  return new Promise((resolve) => {
    signal.addEventListener(
      'abort',
      () => {
        clearInterval(keepAlive);
        resolve();
      },
      { once: true },
    );
  });
}

interface Watched {
  readonly queue: Queue;
  readonly store: BuildStore;
  readonly topics: OrchestratorTopics;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stop: AbortSignal;
  readonly warnOfPauses: () => Promise<void>;
}

async function untilIdle(watched: Watched): Promise<void> {
  const { clock, logger, stop, warnOfPauses } = watched;
  while (!stop.aborted) {
    try {
      if (await isIdle(watched)) return;
      await warnOfPauses();
    } catch (error) {
      if (!(error instanceof QueueError && error.retryable)) throw error;
      logger.warn({ code: error.code }, 'could not see whether anything is left to do; trying again');
    }
    await sleep(clock, idleCheckMs, stop);
  }
}

/**
 * Whether no request is on its way and every build has ended and was announced. The topics come first, in the
 * order in which a request passes them, and the records last: a message that has left a topic has written its
 * record by then. `build.signal` does not count: it holds the deadlines of builds that ended long ago.
 */
async function isIdle({ queue, store, topics }: Watched): Promise<boolean> {
  for (const topic of [topics.jobs, topics.requested, topics.dead]) {
    const { ready, delayed, inHand } = await queue.admin.depth(topic);
    // Where the backend does not say what is in hand, what is in ours says most of it.
    const isHeld = queue.health().consumers.some((consumer) => consumer.topic === topic.name && consumer.held > 0);
    if (isHeld || (ready ?? 0) + (delayed ?? 0) + (inHand ?? 0) > 0) return false;
  }
  return (await store.list({ announced: false, limit: 1, cursor: null })).builds.length === 0;
}

async function inHandOf(queue: Queue, topics: OrchestratorTopics): Promise<number | null> {
  try {
    let sum = 0;
    for (const topic of Object.values(topics)) {
      const { inHand } = await queue.admin.depth(topic);
      if (inHand === null) return null;
      sum += inHand;
    }
    return sum;
  } catch {
    return null; // the backend is away; what it holds for us it gives to others by itself
  }
}
