import { QueueError } from '../queue/index.js';
import type { Build, EndedBuild, TriggeredBuild } from './build.js';
import { decideSweep, type Reminder } from './decide.js';
import { type Outlet, sendDeadline, sendFinished, sendPoll, sendRequested } from './outgoing.js';
import type { Ports } from './ports.js';
import { reminded } from './transitions.js';

/** What a sweep found and sent again. */
export type SweepReport = {
  /** Builds that still had something to happen to them. */
  readonly looked: number;
} & { readonly [Sent in Reminder]: number };

const pageSize = 200;

/**
 * Looks through all builds that go on, or whose end was not noted, and sends the message again that seems to be
 * lost: the net under what no message can survive, such as a queue or a store that came back from an old copy.
 *
 * The record says that it was reminded before the message goes out, so that several orchestrators, and a backlog
 * longer than the grace, add one message per build and grace at most. If the message was there after all, the
 * tables drop the second one.
 *
 * A build whose message is refused, or whose record the store does not take, is logged and left for the next sweep: it
 * must not keep the others from theirs. Rejects when the store does not list, or the queue does not answer.
 */
export async function sweep(
  ports: Ports,
  outlet: Outlet,
  graceMs: number,
  stopping: () => boolean = () => false,
): Promise<SweepReport> {
  const report = { looked: 0, requested: 0, poll: 0, deadline: 0, finished: 0 };
  for (let cursor: string | null = null; ; ) {
    const { builds, next } = await ports.store.list({ announced: false, limit: pageSize, cursor });
    for (const build of builds) {
      if (stopping()) return report;
      report.looked += 1;
      const reminder = decideSweep(build, ports.now(), graceMs);
      if (reminder === null) continue;
      const about = { requestId: build.requestId, status: build.status, reminder };
      try {
        if (!(await ports.store.compareAndSet(reminded(build, ports.now())))) continue;
        await remind(ports, outlet, build, reminder);
      } catch (error) {
        if (isQueueAway(error)) throw error;
        ports.logger.warn(
          { ...about, error: String(error) },
          'the message of a build that seemed to be stuck could not be sent; the next sweep after the grace tries again',
        );
        continue;
      }
      report[reminder] += 1;
      ports.logger.warn(about, 'a build seemed to be stuck; its message was sent again');
    }
    if (next === null) return report;
    cursor = next;
  }
}

/** No record's fault: every other one would wait for the same answer. */
function isQueueAway(error: unknown): boolean {
  return error instanceof QueueError && ['unavailable', 'timeout', 'auth', 'closed'].includes(error.code);
}

async function remind({ topics }: Ports, outlet: Outlet, build: Build, reminder: Reminder): Promise<void> {
  switch (reminder) {
    case 'requested':
      return sendRequested(outlet, topics, build);
    case 'poll':
      return sendPoll(outlet, topics, build as TriggeredBuild, 0);
    case 'deadline':
      return sendDeadline(outlet, topics, build as TriggeredBuild, 0);
    case 'finished':
      return sendFinished(outlet, topics, build as EndedBuild);
  }
}
