import { buildIdSchema } from '../buildrunner/index.js';
import type { DeadLetterNotice } from '../queue/index.js';
import { type Build, hasEnded } from './build.js';
import { decideDeadLetter } from './decide.js';
import { resendDeadline, resendPoll, sendFinished } from './outgoing.js';
import type { Handed, Ports } from './ports.js';
import { mayBeSecondHandOut } from './second-hand-out.js';
import { announced, deadLettered, timedOut } from './transitions.js';
import { untilStored } from './until-stored.js';

/** Ends the build whose message was given up, so that none hangs because a stage could not do its work. */
export async function deadLetter(
  ports: Ports,
  delivery: Handed<DeadLetterNotice>,
  decide: typeof decideDeadLetter = decideDeadLetter,
): Promise<void> {
  const notice = delivery.message.body;
  const { topics, logger, store, now } = ports;
  const about = { topic: notice.topic, group: notice.group, id: notice.id, key: notice.key };

  await untilStored(`the end of the build of ${notice.id}`, async () => {
    const decision = decide(await find(), notice, mayBeSecondHandOut(delivery));
    switch (decision.do) {
      case 'drop':
        logger.warn({ ...about, reason: notice.reason, why: decision.why }, 'a dead letter changes no build');
        return 'done';
      case 'announce':
        await sendFinished(delivery.outbox, topics, decision.build);
        return 'done';
      case 'resend':
        logger.warn(
          { ...about, reason: notice.reason },
          'a dead letter had done its work; what it owed is sent for it',
        );
        if (decision.poll) await resendPoll(delivery.outbox, ports, decision.build);
        if (decision.deadline) await resendDeadline(delivery.outbox, ports, decision.build);
        return 'done';
      case 'mark-announced':
        logger.warn(
          { ...about, reason: notice.reason },
          'the end of a build could not be noted; its dead letter can be redriven',
        );
        return storeAndSend(announced(decision.build, now()), false);
      case 'fail-build':
        logger.warn({ ...about, reason: notice.reason }, 'a dead letter ends its build');
        return storeAndSend(deadLettered(decision.build, decision.reason, now()), true);
      case 'time-out':
        logger.warn({ ...about, reason: notice.reason }, 'a build past its deadline could not be cancelled');
        return storeAndSend(timedOut(decision.build, now()), true);
    }
  });

  async function find(): Promise<Build | null> {
    if (notice.key === null) return null;
    // Whoever published the request chose its key, and may have spelt the id in capitals.
    if (notice.topic !== topics.signal.name) return store.load(notice.key.toLowerCase());
    const read = buildIdSchema.safeParse({ id: notice.key });
    return read.success ? store.loadByBuildId(read.data) : null;
  }

  async function storeAndSend(build: Build, tell: boolean): Promise<'done' | 'again'> {
    if (!(await store.compareAndSet(build))) return 'again';
    if (tell && hasEnded(build)) await sendFinished(delivery.outbox, topics, build);
    return 'done';
  }
}
