import type { JobRequestInput } from 'signalbox/orchestrator';
import { job, requestId } from '../requests.js';
import { World, type WorldOptions } from './world.js';

/** A few builds, what happens to them, and how each has to end whatever crashes. */
export interface Scenario {
  readonly jobs: readonly JobRequestInput[];
  readonly runner: WorldOptions['runner'];
  readonly orchestrator: NonNullable<WorldOptions['orchestrator']>;
  /** By request id. */
  readonly ends: Readonly<Record<string, readonly [status: string, reason: string | null]>>;
  /** What happens at which time from outside. */
  readonly events: readonly { readonly atMs: number; readonly happen: (world: World) => Promise<void> }[];
  /** When to look at the chains; some build has to go on then. Null: never. */
  readonly lookAtMs: number | null;
  /** Whether it ends only with the sweep's help, or with dead letters. */
  readonly expects: 'nothing' | 'sweep' | 'dead-letters';
}

const repo = (name: string) => ({ repo_url: `https://git.example.org/${name}.git` });
const endless = { acceptedMs: 1_000, end: 'never' } as const;
const pollDelays = { acceptedMs: 3_000, runningMs: 2_000 };

/** One build of each kind of end. */
export const everyEnd: Scenario = {
  jobs: [job(1, repo('succeeds')), job(2, repo('never-ends')), job(3, repo('forgotten')), job(4, repo('cancelled'))],
  runner: {
    seed: 'every end',
    rules: [
      { when: { repoUrl: /succeeds/ }, outcome: { acceptedMs: 1_000, runningMs: 6_000, end: 'succeeded' } },
      { when: { repoUrl: /forgotten/ }, outcome: endless, faults: { forgetful: { afterMs: 6_000 } } },
      { when: {}, outcome: endless },
    ],
  },
  orchestrator: { pollDelays, buildDeadlineMs: 20_000 },
  ends: {
    [requestId(1)]: ['succeeded', null],
    [requestId(2)]: ['failed', 'timed out'],
    [requestId(3)]: ['failed', 'unknown to the runner'],
    [requestId(4)]: ['cancelled', 'not wanted any more'],
  },
  events: [
    { atMs: 2_500, happen: (world) => world.cancel(requestId(4)) },
    { atMs: 3_500, happen: (world) => world.push(requestId(1)) },
  ],
  lookAtMs: 16_500,
  expects: 'nothing',
};

/** The queue is lost with everything in it, and a request that nobody has triggered yet: the sweep finds them all. */
export const lostQueue: Scenario = {
  jobs: [job(1, repo('succeeds')), job(2, repo('never-ends')), job(3, repo('unreachable'))],
  runner: {
    seed: 'lost queue',
    rules: [
      { when: { repoUrl: /succeeds/ }, outcome: { acceptedMs: 1_000, runningMs: 6_000, end: 'succeeded' } },
      {
        when: { repoUrl: /unreachable/ },
        outcome: { end: 'succeeded' },
        faults: { unreachable: [{ operations: ['trigger'], windows: [{ fromMs: 0, toMs: 6_500 }], lost: 'answer' }] },
      },
      { when: {}, outcome: endless },
    ],
  },
  orchestrator: { pollDelays, buildDeadlineMs: 15_000, sweepEveryMs: 1_000, sweepGraceMs: 4_000 },
  ends: {
    [requestId(1)]: ['succeeded', null],
    [requestId(2)]: ['failed', 'timed out'],
    [requestId(3)]: ['succeeded', null],
  },
  events: [{ atMs: 4_500, happen: (world) => world.loseQueue() }],
  lookAtMs: 13_500,
  expects: 'sweep',
};

/** Every stage that talks to the runner gives up in the end, because it never answers. */
export const givenUp: Scenario = {
  jobs: [job(1, repo('no-trigger')), job(2, repo('no-status')), job(3, repo('no-cancel'))],
  runner: {
    seed: 'given up',
    rules: [
      {
        when: { repoUrl: /no-trigger/ },
        outcome: endless,
        faults: { unreachable: [{ operations: ['trigger'], probability: 1 }] },
      },
      {
        when: { repoUrl: /no-status/ },
        outcome: endless,
        faults: { unreachable: [{ operations: ['status'], probability: 1 }] },
      },
      {
        when: { repoUrl: /no-cancel/ },
        outcome: endless,
        faults: { unreachable: [{ operations: ['cancel'], probability: 1 }] },
      },
    ],
  },
  orchestrator: {
    pollDelays: { acceptedMs: 60_000, runningMs: 60_000 },
    buildDeadlineMs: 600_000,
    sweepEveryMs: 600_000,
  },
  ends: {
    [requestId(1)]: ['failed', 'dead letter of "build.requested"'],
    [requestId(2)]: ['failed', 'dead letter of "build.signal"'],
    [requestId(3)]: ['failed', 'timed out'],
  },
  events: [],
  lookAtMs: null,
  expects: 'dead-letters',
};

export interface Outcome {
  readonly steps: readonly string[];
  readonly violations: readonly string[];
  readonly crashes: number;
}

/** Lets a scenario happen and answers what was wrong about it; nothing should be. */
export async function outcomeOf(
  scenario: Scenario,
  options: Pick<WorldOptions, 'crash' | 'faults' | 'tables'> = {},
): Promise<Outcome> {
  const { jobs, runner, orchestrator, lookAtMs, expects } = scenario;
  const world = new World({ jobs, runner, orchestrator, ...options });
  const violations: string[] = [];
  const happening: Promise<void>[] = [];
  await world.start();
  for (const { atMs, happen } of scenario.events) {
    world.clock.schedule(() => happening.push(happen(world)), atMs);
  }

  if (lookAtMs !== null) {
    await world.clock.advance(lookAtMs);
    // The copies that a crash leaves have met by the second poll after it.
    if (world.crashedAt + 6_000 < world.clock.now()) violations.push(...(await world.chainViolations()));
  }
  await world.runUntilDone(3_600_000).catch((error: unknown) => violations.push(`hung: ${String(error)}`));
  await Promise.all(happening);

  violations.push(...(await world.violations()));
  for (const build of await world.records()) {
    const [status, reason] = scenario.ends[build.requestId] ?? [];
    const reasonFits = reason === null ? build.reason === null : build.reason?.startsWith(reason ?? '');
    if (build.status !== status || !reasonFits) {
      violations.push(`wrong end: ${build.requestId} is ${build.status}, ${build.reason}`);
    }
    // One chain asks once per advance, once at its end, once per push, and after each crash once more
    // for what was in hand: a poll and a push at most.
    const asked = build.buildId === null ? 0 : (world.runner.log.statuses.get(build.buildId.id) ?? 0);
    const most = build.nextPoll + 1 + 2 * world.crashes;
    if (expects !== 'dead-letters' && asked > most) {
      violations.push(`two chains: ${build.requestId} was asked ${asked} times, ${most} at most`);
    }
  }
  if (expects !== 'dead-letters' && world.dead.length > 0) violations.push(`dead letters: ${world.dead.join('; ')}`);
  const { steps, crashes } = world;
  await world.stop();
  return {
    steps,
    crashes,
    violations:
      expects === 'nothing' ? violations : violations.filter((violation) => !violation.startsWith('hung: build')),
  };
}
