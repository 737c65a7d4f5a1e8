import { type Queue, QueueError, sleep, systemClock } from 'signalbox';
import { errorCode } from './error-code.js';
import { type Journal, monotonicMs, type SendOutcome } from './journal.js';
import { type Plan, planOf } from './plan.js';
import { bodyOf, type SoakTopics } from './topics.js';

export interface PublishPlan extends Plan {
  /** How evenly it is spread; 0: as fast as it goes. */
  readonly durationMs: number;
}

/** Publishes under way at once: what a server that is down keeps waiting is bounded by it. */
const mostUnderWay = 512;

/** Sends the whole plan, in order, and resolves when each call was answered. Errors are counted, not thrown. */
export async function publishPlan(
  queue: Pick<Queue, 'publishAfter'>,
  topics: SoakTopics,
  journal: Journal,
  plan: PublishPlan,
): Promise<void> {
  const { messages, durationMs } = plan;
  const underWay = new Set<Promise<void>>();
  const startedAt = monotonicMs();
  for (let n = 0; n < messages; n++) {
    const aheadMs = startedAt + (durationMs * n) / messages - monotonicMs();
    if (aheadMs > 1) await sleep(systemClock, aheadMs);
    while (underWay.size >= mostUnderWay) await Promise.race(underWay);
    const call = publishOne(queue, topics, journal, plan, n);
    underWay.add(call);
    void call.then(() => underWay.delete(call));
  }
  await Promise.all(underWay);
}

async function publishOne(
  queue: Pick<Queue, 'publishAfter'>,
  topics: SoakTopics,
  journal: Journal,
  plan: Plan,
  n: number,
): Promise<void> {
  const { topic, key, delayMs } = planOf(plan, n);
  journal.write({ e: 'send', n, at: monotonicMs() });
  let outcome: SendOutcome = 'stored';
  try {
    await queue.publishAfter(topics[topic], bodyOf(n), delayMs, key === null ? {} : { key });
  } catch (error) {
    outcome = error instanceof QueueError && !error.outcomeUnknown ? 'refused' : 'unknown';
    const operation = outcome === 'refused' ? 'publish' : 'publish of unknown outcome';
    journal.write({ e: 'error', operation, code: errorCode(error), at: monotonicMs() });
  }
  journal.write({ e: 'sent', n, outcome, at: monotonicMs() });
}
