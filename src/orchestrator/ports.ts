import type { BuildRunner } from '../buildrunner/index.js';
import type { Logger, Message } from '../queue/index.js';
import type { BuildStore } from './build-store.js';
import type { Outlet } from './outgoing.js';
import type { PollDelays } from './poll-delay.js';
import type { HandOutCounts } from './second-hand-out.js';
import type { OrchestratorTopics } from './topics.js';

/** What the stages reach the world through. */
export interface Ports {
  readonly runner: BuildRunner;
  readonly store: BuildStore;
  readonly topics: OrchestratorTopics;
  readonly logger: Logger;
  /** Whole epoch milliseconds. */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly pollDelays: PollDelays;
  readonly buildDeadlineMs: number;
}

/** What a stage needs of a delivery: it returns to have it acked together with its outbox, and throws to be asked again. */
export interface Handed<Body> extends HandOutCounts {
  readonly message: Pick<Message<Body>, 'id' | 'key' | 'body'>;
  readonly signal: AbortSignal;
  readonly outbox: Outlet;
}
