import type { BuildId, TriggerRequest } from '../buildrunner/index.js';
import type { Build, TriggeredBuild } from './build.js';
import { isBuildUnknown } from './build-unknown.js';
import { decideRequested } from './decide.js';
import { queueNameOf } from './job-request.js';
import { resendDeadline, resendPoll, sendDeadline, sendPoll } from './outgoing.js';
import { pollDelayMs } from './poll-delay.js';
import type { Handed, Ports } from './ports.js';
import { mayBeSecondHandOut } from './second-hand-out.js';
import { owesCancel, triggered } from './transitions.js';
import { untilStored } from './until-stored.js';

/**
 * Has the build triggered and starts its chain of polls and its deadline. The request id is the runner's
 * idempotency key, so that repeating it, after a crash or at once from two sides, answers the same build.
 */
export async function triggerBuild(
  ports: Ports,
  delivery: Handed<{ readonly request_id: string }>,
  decide: typeof decideRequested = decideRequested,
): Promise<void> {
  const requestId = delivery.message.body.request_id;
  const { store, runner, topics, logger, now, buildDeadlineMs } = ports;
  let started: BuildId | null = null;

  await untilStored(`build "${requestId}"`, async () => {
    const build = await store.load(requestId);
    const decision = decide(build, mayBeSecondHandOut(delivery));
    if (started !== null && decision.do !== 'trigger') await cancelStray(started, build);
    switch (decision.do) {
      case 'fail':
        throw new Error(`cannot trigger build "${requestId}": ${decision.why}; check the build store if this goes on`);
      case 'drop':
        logger.info({ requestId, why: decision.why }, 'build request dropped');
        return 'done';
      case 'resend':
        if (decision.poll) await resendPoll(delivery.outbox, ports, decision.build);
        await resendDeadline(delivery.outbox, ports, decision.build);
        return 'done';
      case 'trigger': {
        started ??= await runner.trigger(triggerRequestOf(decision.build), { signal: delivery.signal });
        // A cancel that came before the build had a name waits for its first poll, which then need not wait.
        const firstPollMs = owesCancel(decision.build)
          ? 0
          : pollDelayMs(decision.build, ports.pollDelays, ports.random());
        const facts = { buildId: started, firstPollMs, deadlineMs: buildDeadlineMs, now: now() };
        const next = triggered(decision.build, facts) as TriggeredBuild;
        if (!(await store.compareAndSet(next))) return 'again';
        await sendPoll(delivery.outbox, topics, next, firstPollMs);
        await sendDeadline(delivery.outbox, topics, next, buildDeadlineMs);
        return 'done';
      }
    }
  });

  /**
   * The build was ended (or got another name) while the runner was being asked: nobody would ever look at this
   * one. Tried once, for what ended it is recorded and has been told.
   */
  async function cancelStray(stray: BuildId, standing: Build | null): Promise<void> {
    if (standing?.buildId?.id === stray.id) return;
    logger.warn({ requestId, buildId: stray.id }, 'a build was started that is not wanted any more; cancelling it');
    await runner.cancel(stray, { signal: delivery.signal }).catch((error: unknown) => {
      if (!isBuildUnknown(error))
        logger.warn({ requestId, buildId: stray.id, error: String(error) }, 'it could not be cancelled');
    });
  }
}

/** What the runner is asked for. Pure. */
function triggerRequestOf({ requestId, request }: Build): TriggerRequest {
  const { source, workflow_path, workflow_job_id, runs_on, submitted_at } = request;
  const given = Object.entries({ source, workflow_path, workflow_job_id, runs_on, submitted_at });
  return {
    queueName: queueNameOf(request),
    base: [],
    head: [{ repoUrl: request.repo_url, commitSha: request.commit_sha }],
    metadata: Object.fromEntries(given.filter((entry): entry is [string, string] => entry[1] !== undefined)),
    idempotencyKey: requestId,
  };
}
