import { BuildUnknownError } from 'signalbox/buildrunner';
import type { Build } from 'signalbox/orchestrator';
import { describe, expect, test } from 'vitest';
import { job, requestId } from '../requests.js';
import { seeded } from './random.js';
import { World } from './world.js';

const builds = 1_000;
const wildMs = 100_000;
/** From here on one chain is all that there is: no call is wasted on a copy any more. */
const settledMs = 150_000;
const lookAtMs = 240_000;

const repo = (name: string) => ({ repo_url: `https://git.example.org/${name}.git` });
const kindOf = (n: number): string =>
  n % 100 === 7 ? 'never-ends' : n % 100 === 13 ? 'forgotten' : n % 10 === 1 ? 'long' : 'usual';
const jobs = Array.from({ length: builds }, (_, n) =>
  job(n, { ...repo(kindOf(n)), ...(n % 3 ? {} : { runs_on: 'linux' }) }),
);

const faults = {
  unreachable: [
    { operations: ['status'], probability: 0.1 },
    { operations: ['status', 'cancel'], probability: 0.1, lost: 'answer' },
    { operations: ['trigger'], probability: 0.15, lost: 'answer' },
    { operations: ['trigger'], probability: 0.1 },
  ],
  slow: { delayMs: [1, 1_500], probability: 0.2 },
} as const;

describe.each([
  ['with its ack in one instant', true, 1],
  ['before its ack, message by message', false, 2],
])('the outbox leaves %s', (_name, atomicOutbox, seed) => {
  test('1000 builds through failing calls, duplicates, crashes, restarts and lost settles: all end, one chain each, none twice, none lost', async () => {
    const random = seeded(seed);
    const did = { duplicates: 0, lostSettles: 0, pushes: 0, replaced: 0 };
    const world: World = new World({
      jobs,
      seed,
      processes: 3,
      runner: {
        seed,
        faults,
        rules: [
          { when: { repoUrl: /never-ends/ }, outcome: { acceptedMs: 1_000, end: 'never' }, faults },
          {
            when: { repoUrl: /forgotten/ },
            outcome: { acceptedMs: 1_000, end: 'never' },
            faults: { ...faults, forgetful: { afterMs: [20_000, 60_000] } },
          },
          {
            when: { repoUrl: /long/ },
            outcome: { acceptedMs: [500, 20_000], runningMs: [220_000, 280_000], end: 'succeeded' },
            // Now and then an answer that takes longer than a step may.
            faults: { ...faults, slow: { delayMs: [30_000, 90_000], probability: 0.01 } },
          },
        ],
        default: { cancelledShare: 0.02 },
      },
      orchestrator: { concurrency: 64, buildDeadlineMs: 400_000 },
      faults: {
        atomicOutbox,
        duplicated: () => wild() && random() < 0.05 && ++did.duplicates > 0,
        settleLost: () =>
          !wild() || random() > 0.05 ? null : ++did.lostSettles % 2 === 0 ? ('request' as const) : ('answer' as const),
      },
      crash: () => (!wild() || random() > 1 / 1_250 ? null : random() < 0.5 ? 'before' : 'after'),
    });
    const wild = (): boolean => world.clock.now() < startedAt + wildMs;
    const startedAt = world.clock.now();
    await world.start();
    const every = (ms: number, happen: () => Promise<unknown>): void => {
      world.clock.schedule(() => {
        if (!wild()) return;
        void happen();
        every(ms, happen);
      }, ms);
    };
    const anyone = (): string => requestId(Math.floor(random() * builds));
    every(300, () => world.push(anyone()).then(() => did.pushes++));
    every(2_000, () => world.outside.publish(world.topics.jobs, jobs[Math.floor(random() * builds)] ?? job(0)));
    every(9_000, async () => world.killOne());
    every(8_000, () => world.replaceOne().then(() => did.replaced++));
    const cancelled = [1, 101, 201, 301, 401].map(requestId);
    world.clock.schedule(() => {
      for (const id of cancelled) void world.cancel(id);
    }, 60_000);

    await world.clock.advance(settledMs);
    const before = await spending(world);
    await world.clock.advance(lookAtMs - settledMs);
    const after = await spending(world);
    const goingOn = (await world.records()).filter((build) => build.status === 'running').length;
    const chains = await world.chainViolations();
    await world.runUntilDone(3_600_000);

    expect(chains).toEqual([]);
    expect(goingOn).toBeGreaterThan(50);
    expect(await world.violations()).toEqual([]);
    expect(world.dead).toEqual([]);
    expect(world.runner.log.builds).toHaveLength(builds);
    expect(await wrongEnds(world, new Set(cancelled))).toEqual([]);
    expect(world.crashes).toBeGreaterThan(50);
    expect(Math.min(did.duplicates, did.lostSettles, did.pushes)).toBeGreaterThan(100);
    expect(did.replaced).toBeGreaterThan(0);

    const { calls, polls } = spentBy(after, before);
    // What is left are answers that came later than a step may take.
    expect(calls - polls).toBeLessThan(calls / 50);
    report({
      ...did,
      crashes: world.crashes,
      goingOn,
      steps: world.steps.length,
      sent: world.traffic.sent,
      calls,
      polls,
    });
    await world.stop();
  }, 60_000);
});

interface Spending {
  /** Status calls that were not lost. */
  readonly calls: number;
  /** Answers that builds were moved by. */
  readonly polls: number;
}

async function spending(world: World): Promise<Spending> {
  const calls = world.runner.log.calls.filter(({ operation, lost }) => operation === 'status' && lost === null).length;
  return { calls, polls: (await world.records()).reduce((sum, { polls }) => sum + polls, 0) };
}

function spentBy(after: Spending, before: Spending): Spending {
  return { calls: after.calls - before.calls, polls: after.polls - before.polls };
}

/** What a run went through, for those who want to know: SHOW_LOOP=1. */
function report(facts: Readonly<Record<string, number>>): void {
  if (process.env.SHOW_LOOP) console.log(JSON.stringify(facts));
}

/** Builds that did not end as the runner says, or as their kind has to. */
async function wrongEnds(world: World, cancelled: ReadonlySet<string>): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (const build of await world.records()) {
    const expected = await endOf(world, build);
    const found = `${build.status} ${build.reason}`;
    if (cancelled.has(build.requestId) ? build.reason !== 'not wanted any more' : found !== expected) {
      wrong.push(`${build.requestId} is ${found}, not ${expected}`);
    }
  }
  return wrong;
}

async function endOf({ runner }: World, { buildId, request }: Build): Promise<string> {
  if (request.repo_url.includes('never-ends')) return 'failed timed out';
  for (;;) {
    try {
      if (buildId === null) return 'has no name';
      const report = runner.status(buildId);
      return `${(await Promise.race([report, new Promise<never>((_, reject) => setImmediate(() => reject(new Error('slow'))))])).status} null`;
    } catch (error) {
      if (error instanceof BuildUnknownError) return 'failed unknown to the runner';
    }
  }
}
