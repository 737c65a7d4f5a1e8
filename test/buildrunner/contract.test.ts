import { describe, expect, test } from 'vitest';
import {
  type BuildRunnerHarness,
  buildId,
  buildRunnerContract,
  noopRunner,
  scriptedRunner,
} from '../../src/buildrunner/index.js';
import { VirtualClock } from '../../src/queue/virtual-clock.js';

const api = { test, skip: (name: string) => test.skip(name) };
const change = (repo: string) => ({
  repoUrl: `https://git.example.org/${repo}.git`,
  commitSha: 'c0ffee'.padEnd(40, '0'),
});

describe('contract: the noop runner', () => {
  buildRunnerContract(api, {
    create: noopRunner,
    restart: noopRunner,
    changes: { succeeds: change('anything') },
    unknownBuild: null,
    letTimePass: async () => {},
    endsWithinMs: 1_000,
  });
});

describe('contract: the scripted runner', () => {
  buildRunnerContract(api, scriptedHarness());
});

describe('contract: the scripted runner, slow to stop and quick to end', () => {
  buildRunnerContract(api, scriptedHarness({ cancelledAfterMs: 1_500, runningMs: 1_000 }));
});

function scriptedHarness({ cancelledAfterMs = 200, runningMs = 4_000 } = {}): BuildRunnerHarness {
  const clock = new VirtualClock();
  return {
    create: () =>
      scriptedRunner({
        clock,
        seed: 'contract',
        cancelledAfterMs,
        rules: [
          { when: { repoUrl: /succeeds/ }, outcome: { acceptedMs: 1_000, runningMs, end: 'succeeded' } },
          { when: { repoUrl: /fails/ }, outcome: { acceptedMs: [0, 1_000], runningMs: [0, runningMs], end: 'failed' } },
          { when: { repoUrl: /cancelled/ }, outcome: { acceptedMs: 1_000, runningMs: 500, end: 'cancelled' } },
          { when: { repoUrl: /never/ }, outcome: { acceptedMs: 1_000, end: 'never' } },
        ],
      }),
    restart: (runner) => runner,
    changes: {
      succeeds: change('succeeds'),
      fails: change('fails'),
      cancelled: change('cancelled'),
      neverEnds: change('never'),
    },
    unknownBuild: buildId('scripted-nobody-triggered-this'),
    letTimePass: (ms) => clock.advance(ms),
    endsWithinMs: 6_000,
  };
}

test('a case that a harness cannot show is named with what is missing', async () => {
  const names: string[] = [];
  const record = (name: string): void => {
    names.push(name);
  };

  buildRunnerContract(
    { test: record, skip: (name) => record(`skipped: ${name}`) },
    {
      create: noopRunner,
      changes: { succeeds: change('anything') },
      unknownBuild: null,
      letTimePass: async () => {},
      endsWithinMs: 1,
    },
  );

  expect(names.filter((name) => name.startsWith('skipped: '))).toEqual([
    expect.stringContaining('(not shown: the harness has no restart)'),
    expect.stringContaining('(not shown: the harness has no change that ends as failed)'),
    expect.stringContaining('(not shown: the harness has no change that ends as cancelled)'),
    expect.stringContaining('(not shown: the harness has no change that never ends)'),
  ]);
});
