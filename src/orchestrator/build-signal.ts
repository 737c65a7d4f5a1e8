import type { BuildReport } from '../buildrunner/index.js';
import { type Build, hasEnded, isPolled, type TriggeredBuild } from './build.js';
import { isBuildUnknown } from './build-unknown.js';
import { decideSignal } from './decide.js';
import { resendPoll, sendFinished, sendPoll } from './outgoing.js';
import { pollDelayMs } from './poll-delay.js';
import type { Handed, Ports } from './ports.js';
import { mayBeSecondHandOut } from './second-hand-out.js';
import type { BuildSignal } from './topics.js';
import { cancelSent, forgotten, observed, overdue, owesCancel, pollTaken, timedOut } from './transitions.js';
import { untilStored } from './until-stored.js';

/**
 * Serves a poll, a push or the deadline of a build, by the table of `decideSignal`. Rejects when the runner cannot
 * be reached, so that the same message is tried again with its back-off: `attempt` counts failures, polls do not.
 */
export async function buildSignal(
  ports: Ports,
  delivery: Handed<BuildSignal>,
  decide: typeof decideSignal = decideSignal,
): Promise<void> {
  const signal = delivery.message.body;
  const { store, topics, now } = ports;
  const runner = askedOnce(ports, delivery);

  await untilStored(`build "${signal.buildId.id}"`, async () => {
    const decision = decide(await store.loadByBuildId(signal.buildId), signal, mayBeSecondHandOut(delivery));
    switch (decision.do) {
      case 'fail':
        throw new Error(
          `cannot serve a ${signal.kind} of build "${signal.buildId.id}": ${decision.why}; check the build store if this goes on`,
        );
      case 'drop':
        ports.logger.info(
          { buildId: signal.buildId.id, signal: signal.kind, why: decision.why },
          'build signal dropped',
        );
        return 'done';
      case 'announce':
        await sendFinished(delivery.outbox, topics, decision.build);
        return 'done';
      case 'resend-poll':
        await resendPoll(delivery.outbox, ports, decision.build);
        return 'done';
      case 'time-out':
        if (decision.build.overdueAt === null) {
          await store.compareAndSet(overdue(decision.build, now()));
          return 'again';
        }
        await runner.cancel(decision.build);
        return storeAndSend(timedOut(decision.build, now()), null);
      case 'look': {
        const seen = await runner.look(decision.build);
        if (decision.poll === null || hasEnded(seen)) return storeAndSend(seen, null);
        const delayMs = pollDelayMs(seen, ports.pollDelays, ports.random());
        return storeAndSend(pollTaken(seen, decision.poll, delayMs, now()), delayMs);
      }
    }
  });

  /** What follows from a record is sent only by the one whose write of it won. */
  async function storeAndSend(build: Build, nextPollMs: number | null): Promise<'done' | 'again'> {
    if (!(await store.compareAndSet(build))) return 'again';
    if (hasEnded(build)) await sendFinished(delivery.outbox, topics, build);
    else if (nextPollMs !== null && isPolled(build)) await sendPoll(delivery.outbox, topics, build, nextPollMs);
    return 'done';
  }
}

/**
 * The runner as one delivery sees it: each verb is called once however often the record changes meanwhile. What it
 * answered is a fact that fits any later record.
 */
function askedOnce({ runner, now }: Ports, { signal }: Handed<BuildSignal>) {
  let cancelled: 'done' | 'unknown' | null = null;
  let report: BuildReport | 'unknown' | null = null;

  const orUnknown = <Answer>(call: Promise<Answer>): Promise<Answer | 'unknown'> =>
    call.catch((error: unknown) => {
      if (isBuildUnknown(error)) return 'unknown' as const;
      throw error;
    });
  const cancel = async ({ buildId }: TriggeredBuild): Promise<'done' | 'unknown'> => {
    cancelled ??= (await orUnknown(runner.cancel(buildId, { signal }))) ?? 'done';
    return cancelled;
  };

  return {
    cancel,
    /** Passes on a cancel that is owed, asks for the status, and answers the record that follows. */
    async look(build: TriggeredBuild): Promise<Build> {
      let next: Build = build;
      if (owesCancel(build)) {
        if ((await cancel(build)) === 'unknown') return forgotten(build, now());
        next = cancelSent(build, now());
      }
      report ??= await orUnknown(runner.status(build.buildId, { signal }));
      return report === 'unknown' ? forgotten(next, now()) : observed(next, report, now());
    },
  };
}
