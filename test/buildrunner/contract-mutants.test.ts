import { describe, expect, test } from 'vitest';
import {
  type BuildReport,
  type BuildRunner,
  BuildUnknownError,
  buildId,
  buildRunnerContract,
  scriptedRunner,
} from '../../src/buildrunner/index.js';
import { VirtualClock } from '../../src/queue/virtual-clock.js';

// Each of these runners breaks one promise; the contract has to say which.
const wrongRunners: readonly [breaks: string, caughtBy: string, make: (right: BuildRunner) => Partial<BuildRunner>][] =
  [
    ['keeps no idempotency keys', 'the same idempotency key answers the same id again', withoutKeys],
    ['looks for the key, then waits, then starts', 'one id to 50 concurrent triggers', withARace],
    ['forgets a key with the end of its build', 'the same id after the build has ended', forgettingKeysAtTheEnd],
    ['numbers its builds by the millisecond', '200 concurrent triggers with keys of their own', numberedByTime],
    [
      'goes back to accepted',
      'never goes back from running to accepted',
      (right) => ({
        status: mapReport(right, (report, n) => (n % 3 === 2 ? { ...report, status: 'accepted' } : report)),
      }),
    ],
    [
      'has a sixth status',
      'every status is one of the five',
      (right) => ({
        status: mapReport(right, (report, n) => (n === 0 ? { ...report, status: 'queued' as never } : report)),
      }),
    ],
    ['counts its builds from 1 in every process', 'the same id after a restart, another key another', countingFromOne],
    ['cancels what has ended', 'cancelling after the end is fine and changes nothing', cancellingTheEnded],
    ['refuses a second cancel', 'cancelling twice is fine', refusingASecondCancel],
    ['cannot stop a build at work', 'a cancelled build ends as cancelled or at an end of its own', failingToCancel],
    [
      'calls an unknown build failed',
      'an unknown build is a BuildUnknownError that names it',
      (right) => ({ status: unknownAsFailed(right) }),
    ],
  ];

describe('the contract catches a runner that', () => {
  test.for(wrongRunners)('%s', async ([, caughtBy, make]) => {
    const clock = new VirtualClock();
    const failed: string[] = [];
    const cases: (() => Promise<void>)[] = [];
    const collect = (name: string, run: () => Promise<void>): void => {
      cases.push(() => run().catch(() => void failed.push(name)));
    };

    const create = (): BuildRunner => {
      const outcome = { acceptedMs: 500, runningMs: 500, end: 'succeeded' } as const;
      const right = scriptedRunner({ clock, seed: 1, rules: [{ when: {}, outcome }] });
      return { ...right, ...make(right) };
    };

    buildRunnerContract(
      { test: collect },
      {
        create,
        restart: create,
        changes: { succeeds: { repoUrl: 'https://git.example.org/a.git', commitSha: '0'.repeat(40) } },
        unknownBuild: buildId('nobody-triggered-this'),
        letTimePass: (ms) => clock.advance(ms),
        endsWithinMs: 2_000,
      },
    );
    for (const run of cases) await run();

    expect(failed).toContainEqual(expect.stringContaining(caughtBy));
  });
});

function withoutKeys(right: BuildRunner): Partial<BuildRunner> {
  let triggers = 0;
  return {
    trigger: (request) => right.trigger({ ...request, idempotencyKey: `${request.idempotencyKey}${triggers++}` }),
  };
}

function withARace(right: BuildRunner): Partial<BuildRunner> {
  const known = new Map<string, Awaited<ReturnType<BuildRunner['trigger']>>>();
  return {
    async trigger(request) {
      const before = known.get(request.idempotencyKey);
      if (before !== undefined) return before;
      const id = await right.trigger({ ...request, idempotencyKey: crypto.randomUUID() });
      known.set(request.idempotencyKey, id);
      return id;
    },
  };
}

function forgettingKeysAtTheEnd(right: BuildRunner): Partial<BuildRunner> {
  let ends = 0;
  return {
    trigger: (request) => right.trigger({ ...request, idempotencyKey: `${request.idempotencyKey}${ends}` }),
    status: mapReport(right, (report) => {
      if (report.status === 'succeeded') ends++;
      return report;
    }),
  };
}

function numberedByTime(right: BuildRunner): Partial<BuildRunner> {
  return {
    trigger: async (request) => {
      await right.trigger(request);
      return buildId(`build-${Date.now()}`);
    },
  };
}

function countingFromOne(): Partial<BuildRunner> {
  const numbers = new Map<string, number>();
  return {
    async trigger({ idempotencyKey }) {
      const n = numbers.get(idempotencyKey) ?? numbers.size + 1;
      numbers.set(idempotencyKey, n);
      return buildId(`build-${n}`);
    },
  };
}

function mapReport(right: BuildRunner, map: (report: BuildReport, n: number) => BuildReport): BuildRunner['status'] {
  let n = 0;
  return async (id, options) => map(await right.status(id, options), n++);
}

function cancellingTheEnded(right: BuildRunner): Partial<BuildRunner> {
  let cancelled = false;
  return {
    cancel: async () => {
      cancelled = true;
    },
    status: mapReport(right, (report) => (cancelled ? { ...report, status: 'cancelled' } : report)),
  };
}

function refusingASecondCancel(right: BuildRunner): Partial<BuildRunner> {
  let cancels = 0;
  return {
    cancel: async (id, options) => {
      if (cancels++ > 0) throw new Error('already cancelled');
      await right.cancel(id, options);
    },
  };
}

function failingToCancel(right: BuildRunner): Partial<BuildRunner> {
  return {
    cancel: async (id) => {
      if ((await right.status(id)).status !== 'succeeded') throw new Error('it is at work');
    },
  };
}

function unknownAsFailed(right: BuildRunner): BuildRunner['status'] {
  return async (id, options) => {
    try {
      return await right.status(id, options);
    } catch (error) {
      if (error instanceof BuildUnknownError) return { status: 'failed', metadata: {} };
      throw error;
    }
  };
}
