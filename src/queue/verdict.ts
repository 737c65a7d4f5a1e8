import { backoff } from './backoff.js';
import type { Counts, DeathCause } from './driver.js';
import type { Topic } from './topic.js';

/** What becomes of a message that was not acked. */
export type Verdict =
  | { readonly kind: 'again'; readonly delayMs: number; readonly counts: Counts }
  | { readonly kind: 'dead'; readonly cause: DeathCause };

export interface Failure {
  readonly counts: Counts;
  /** Chosen by whoever nacked; null: the topic's back-off. */
  readonly requeueAfterMs: number | null;
  readonly now: number;
  readonly random: number;
}

/** A nack: another attempt after a delay, or, on the last one, a dead letter. Pure. */
export function afterFailure(topic: Pick<Topic, 'maxAttempts' | 'backoff'>, failure: Failure): Verdict {
  const { counts, requeueAfterMs, now, random } = failure;
  if (counts.attempt >= topic.maxAttempts) return { kind: 'dead', cause: 'attempts-exhausted' };
  return {
    kind: 'again',
    delayMs: requeueAfterMs ?? backoff(counts.attempt, topic.backoff, random),
    counts: { attempt: counts.attempt + 1, postpones: counts.postpones, firstFailedAt: counts.firstFailedAt ?? now },
  };
}

/** A postpone: nothing failed, so it comes back however often. Pure. */
export function afterPostpone(counts: Counts, delayMs: number): Verdict {
  return { kind: 'again', delayMs, counts: { ...counts, postpones: counts.postpones + 1 } };
}
