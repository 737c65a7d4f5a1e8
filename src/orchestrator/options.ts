import { z } from 'zod';
import type { BuildRunner } from '../buildrunner/index.js';
import { type Clock, isTopic, type Logger, type Queue, QueueError, silentLogger, systemClock } from '../queue/index.js';
import type { Build } from './build.js';
import type { BuildStore } from './build-store.js';
import { defaultPollDelays, type PollDelay, type PollDelays } from './poll-delay.js';
import type { OrchestratorTopics } from './topics.js';

/** Everything that `createOrchestrator` takes. */
export interface OrchestratorOptions {
  /** Opened with the topics below; it stays open when the orchestrator is closed. */
  readonly queue: Pick<Queue, 'publish' | 'publishAfter' | 'consume'>;
  /** Made by `orchestratorTopics`. */
  readonly topics: OrchestratorTopics;
  readonly runner: BuildRunner;
  /** Stays open when the orchestrator is closed. */
  readonly store: BuildStore;
  /** Default: the machine's clock. Give it the queue's where that is another, such as a `VirtualClock`. */
  readonly clock?: Clock | undefined;
  /** Default: says nothing. */
  readonly logger?: Logger | undefined;
  /** Default: 5 000 ms after `accepted`, 2 000 ms after `running`, ±10 %, for every queue. */
  readonly pollDelays?: (Partial<PollDelay> & Partial<Pick<PollDelays, 'jitter' | 'queues'>>) | undefined;
  /** How long a build may take from its trigger on, before it is cancelled and failed. Default: 6 hours; at most 30 days. */
  readonly buildDeadlineMs?: number | undefined;
  /** Default: 60 000 ms. */
  readonly sweepEveryMs?: number | undefined;
  /**
   * How late a step has to be before the sweep takes its message for lost. Default: 10 minutes, longer than any
   * retrying takes: a shorter one is safe, and sends messages that were not missing.
   */
  readonly sweepGraceMs?: number | undefined;
  /** How many messages of each topic are worked on at once. Default: 16. */
  readonly concurrency?: number | undefined;
  /** How many messages of each topic are held at once, those being worked on among them. Default: the queue's, 256. */
  readonly prefetch?: number | undefined;
  /** How long a runner's or store's answer is waited for before the step counts as failed. Default: 60 000 ms. */
  readonly stepTimeoutMs?: number | undefined;
  /** In [0, 1), for the jitter of poll delays; another answer means none. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
  /**
   * Told of every record that this orchestrator stored, once it is stored. What it throws is logged and changes
   * nothing; it is not waited for.
   */
  readonly onChange?: ((build: Build) => void) | undefined;
}

/** With every default filled in. */
export interface CompleteOptions {
  readonly queue: OrchestratorOptions['queue'];
  readonly topics: OrchestratorTopics;
  readonly runner: BuildRunner;
  readonly store: BuildStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pollDelays: PollDelays;
  readonly buildDeadlineMs: number;
  readonly sweepEveryMs: number;
  readonly sweepGraceMs: number;
  readonly concurrency: number;
  readonly prefetch: number | undefined;
  readonly stepTimeoutMs: number;
  readonly random: () => number;
  readonly onChange: (build: Build) => void;
}

/** Fills in the defaults, or throws an `invalid` error that names every wrong option and what it must be. */
export function completeOptions(options: OrchestratorOptions): CompleteOptions {
  const { success, data, error } = optionsSchema.safeParse(options);
  if (!success) {
    throw new QueueError(`cannot create an orchestrator: ${error.issues.map(describeIssue).join('; ')}`, {
      code: 'invalid',
    });
  }
  return { ...data, prefetch: data.prefetch, pollDelays: { ...defaultPollDelays, ...data.pollDelays } };
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const at = issue.path.length === 0 ? 'the options' : `option ${z.core.toDotPath(issue.path)}`;
  if (issue.code !== 'unrecognized_keys') return `${at} ${issue.message}; correct it`;
  return `${at} must not have ${issue.keys.map((key) => `"${key}"`).join(', ')}; take it out or correct its spelling`;
}

/** Something with these methods: what a port is, whatever class it has. */
function port<T>(description: string, ...methods: readonly (keyof T & string)[]) {
  return z.custom<T>(
    (value) =>
      typeof value === 'object' &&
      value !== null &&
      methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function'),
    { error: `must be ${description}` },
  );
}

const thirtyDaysMs = 30 * 24 * 60 * 60 * 1_000;

/** From 1 ms: without any delay a poll chain would keep a core busy asking. */
const delay = (maxMs: number) => {
  const text = `must be a whole number of milliseconds from 1 to ${maxMs}`;
  return z.int(text).min(1, text).max(maxMs, text);
};

const pollDelay = { acceptedMs: delay(thirtyDaysMs).optional(), runningMs: delay(thirtyDaysMs).optional() };

const pollDelaysSchema = z
  .strictObject({
    ...pollDelay,
    jitter: z
      .number('must be a number from 0 to 1')
      .min(0, 'must be a number from 0 to 1')
      .max(1, 'must be a number from 0 to 1')
      .optional(),
    queues: z
      .record(z.string(), z.strictObject(pollDelay).transform(withoutUndefined), 'must be poll delays by name of queue')
      .optional(),
  })
  .transform(withoutUndefined);

type Given<T> = { [Name in keyof T]: Exclude<T[Name], undefined> };

/** An option that was given as undefined is one that was not given: it must not hide its default. */
function withoutUndefined<T extends object>(options: T): Given<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Given<T>;
}

const optionsSchema = z.strictObject({
  queue: port<OrchestratorOptions['queue']>('what openQueue answers', 'publish', 'publishAfter', 'consume'),
  topics: z.custom<OrchestratorTopics>(
    (value) =>
      typeof value === 'object' &&
      value !== null &&
      ['jobs', 'requested', 'signal', 'finished', 'dead'].every((name) =>
        isTopic((value as Record<string, unknown>)[name]),
      ),
    { error: 'must be what orchestratorTopics answers' },
  ),
  runner: port<BuildRunner>('a build runner: trigger, status and cancel', 'trigger', 'status', 'cancel'),
  store: port<BuildStore>('a build store', 'createIfAbsent', 'load', 'loadByBuildId', 'compareAndSet', 'list'),
  clock: port<Clock>('a clock: systemClock, or a VirtualClock in tests', 'now', 'schedule').default(() => systemClock),
  logger: port<Logger>('a logger: info and warn', 'info', 'warn').default(() => silentLogger),
  pollDelays: pollDelaysSchema.default({}),
  buildDeadlineMs: delay(thirtyDaysMs).default(6 * 60 * 60 * 1_000),
  sweepEveryMs: delay(thirtyDaysMs).default(60_000),
  sweepGraceMs: delay(thirtyDaysMs).default(10 * 60 * 1_000),
  concurrency: z.int('must be a whole number').min(1, 'must be at least 1').default(16),
  prefetch: z.int('must be a whole number').min(1, 'must be at least 1').optional(),
  stepTimeoutMs: delay(thirtyDaysMs).default(60_000),
  random: z
    .custom<() => number>(isFunction, 'must be a function that answers a number in [0, 1)')
    .default(() => Math.random),
  onChange: z.custom<(build: Build) => void>(isFunction, 'must be a function of a build').default(() => () => {}),
});

function isFunction(value: unknown): boolean {
  return typeof value === 'function';
}
