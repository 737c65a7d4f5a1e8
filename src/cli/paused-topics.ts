import type { Clock, Logger, Queue, Topic } from '../queue/index.js';

/** How often it is looked whether somebody has paused or resumed anything. */
const lookEveryMs = 2_000;

/** Names of those topics whose group `default` is paused. Rejects as `admin.depth` does. */
export async function pausedTopics({ admin }: Queue, topics: readonly Topic[]): Promise<readonly string[]> {
  const paused: string[] = [];
  for (const topic of topics) if ((await admin.depth(topic)).paused) paused.push(topic.name);
  return paused;
}

export interface PauseWarning {
  readonly queue: Queue;
  readonly topics: readonly Topic[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** What does not go on meanwhile, for the log. */
  readonly effect: string;
}

/** Answers a function that logs which topics are paused when those have changed; called often, it looks now and then. */
export function pauseWarning({ queue, topics, clock, logger, effect }: PauseWarning): () => Promise<void> {
  let told = '';
  let nextLook = Number.NEGATIVE_INFINITY;
  return async () => {
    if (clock.now() < nextLook) return;
    nextLook = clock.now() + lookEveryMs;
    // Whoever may not look, or cannot just now, serves all the same: this is a warning alone.
    const paused = await pausedTopics(queue, topics).catch(() => null);
    if (paused === null || paused.join() === told) return;
    told = paused.join();
    if (paused.length > 0)
      logger.warn({ paused }, `paused: ${effect}; "signalbox resume TOPIC" lets a topic flow again`);
  };
}
