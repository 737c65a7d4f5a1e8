import type { Build } from './build.js';
import { queueNameOf } from './job-request.js';

/** How long to wait between two polls, by the state that the first one saw. */
export interface PollDelay {
  /** Default: 5 000 ms. */
  readonly acceptedMs: number;
  /** Default: 2 000 ms. */
  readonly runningMs: number;
}

/** The delays of every queue, complete. */
export interface PollDelays extends PollDelay {
  /** Share by which a delay is longer or shorter at random. Default: 0.1. */
  readonly jitter: number;
  /** Differing delays, by the name of the runner's queue. */
  readonly queues: Readonly<Record<string, Partial<PollDelay>>>;
}

/** The contract's numbers of the build-signal loop. */
export const defaultPollDelays: PollDelays = { acceptedMs: 5_000, runningMs: 2_000, jitter: 0.1, queues: {} };

/**
 * When to look at a build again, in whole milliseconds. Jittered, so that builds which came in together are
 * not asked about together for ever. Pure; `random` is in [0, 1): what is not would make delays that no queue takes, and
 * stands for no jitter.
 */
export function pollDelayMs(build: Build, delays: PollDelays, random: number): number {
  const queueName = queueNameOf(build.request);
  const queue = Object.hasOwn(delays.queues, queueName) ? delays.queues[queueName] : undefined;
  const delayMs =
    build.status === 'running' ? (queue?.runningMs ?? delays.runningMs) : (queue?.acceptedMs ?? delays.acceptedMs);
  const chance = random >= 0 && random <= 1 ? random : 0.5;
  return Math.round(delayMs * (1 + delays.jitter * (2 * chance - 1)));
}
