import type { Clock } from '../queue/clock.js';
import type { Seed } from './scripted/chance.js';
import type { OutcomeMix } from './scripted/outcome.js';
import type { ScriptedRule } from './scripted/rule.js';
import { type ScriptedRunner, scriptedRunner } from './scripted.js';

/**
 * A deadline that cuts short the one build of the demonstration that never ends, and no other: the
 * others take at most 13.5 s. So the whole of it is over after some 17 s.
 */
export const demonstrationDeadlineMs = 15_000;

/** The repositories of `examples/jobs.jsonl` where a build goes as one would rather not have it. */
export const demonstrationRules: readonly ScriptedRule[] = [
  {
    when: { repoUrl: /\/flaky-widgets(\.git)?$/ },
    outcome: {
      acceptedMs: [300, 1_500],
      runningMs: [2_000, 6_000],
      end: 'failed',
      metadata: { summary: '2 of 318 tests failed' },
    },
  },
  {
    when: { metadata: { workflow_path: /\/nightly-upgrade\.ya?ml$/ } },
    outcome: {
      acceptedMs: [300, 1_500],
      runningMs: [4_000, 9_000],
      end: 'failed',
      metadata: { summary: 'a dependency does not resolve' },
    },
  },
  {
    // The runner's side ends it: its machine was wanted for something else.
    when: { repoUrl: /\/preemptible-farm(\.git)?$/ },
    outcome: {
      acceptedMs: 800,
      runningMs: 5_000,
      end: 'cancelled',
      metadata: { summary: 'the machine was taken back' },
    },
  },
  {
    // Runs past every deadline.
    when: { repoUrl: /\/endless-soak(\.git)?$/ },
    outcome: { acceptedMs: 600, end: 'never' },
  },
  {
    // Its runner loses what it knows while the build runs: asked again, it has never heard of it.
    when: { repoUrl: /\/amnesic-sandbox(\.git)?$/ },
    outcome: { acceptedMs: 500, runningMs: 9_000, end: 'succeeded' },
    faults: { forgetful: { afterMs: 2_500 } },
  },
];

/** What all other builds of the demonstration do: long enough for several polls, short enough to watch. */
export const demonstrationMix: OutcomeMix = {
  acceptedMs: [300, 2_500],
  runningMs: [1_500, 11_000],
  failedShare: 0.08,
};

/** The runner of `npm start`: the same jobs end the same way for the same seed, a fixed one when left out. */
export function demonstrationRunner(options: {
  readonly clock: Clock;
  readonly seed?: Seed | undefined;
}): ScriptedRunner {
  const { clock, seed = 'demonstration' } = options;
  return scriptedRunner({ clock, seed, rules: demonstrationRules, default: demonstrationMix });
}
