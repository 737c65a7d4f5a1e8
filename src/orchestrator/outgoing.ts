import { type BodyInput, QueueError, type Topic } from '../queue/index.js';
import type { Build, EndedBuild, TriggeredBuild } from './build.js';
import { deadlineName, finishedName, pollName, requestedName } from './names.js';
import { pollDelayMs } from './poll-delay.js';
import type { Ports } from './ports.js';
import type { OrchestratorTopics } from './topics.js';

/** Where messages go: a delivery's outbox, so that they leave with its ack, or the queue itself. */
export interface Outlet {
  publish<T extends Topic>(topic: T, body: BodyInput<T>, options: MessageName): unknown;
  publishAfter<T extends Topic>(topic: T, body: BodyInput<T>, delayMs: number, options: MessageName): unknown;
}

interface MessageName {
  readonly id: string;
  readonly key: string;
}

/** Asks for the build to be triggered. */
export async function sendRequested(outlet: Outlet, topics: OrchestratorTopics, build: Build): Promise<void> {
  const { requestId } = build;
  await outlet.publish(topics.requested, { request_id: requestId }, { id: requestedName(requestId), key: requestId });
}

/** Sends the poll that the record says is next. */
export async function sendPoll(
  outlet: Outlet,
  topics: OrchestratorTopics,
  build: TriggeredBuild,
  delayMs: number,
): Promise<void> {
  const { requestId, buildId, nextPoll } = build;
  const name = { id: pollName(requestId, nextPoll), key: buildId.id };
  await outlet.publishAfter(topics.signal, { id: buildId.id, poll: nextPoll }, delayMs, name);
}

/** Sets the alarm that ends the build if nothing else does. */
export async function sendDeadline(
  outlet: Outlet,
  topics: OrchestratorTopics,
  build: TriggeredBuild,
  delayMs: number,
): Promise<void> {
  const { requestId, buildId } = build;
  const name = { id: deadlineName(requestId), key: buildId.id };
  await outlet.publishAfter(topics.signal, { id: buildId.id, deadline: true }, delayMs, name);
}

/**
 * Tells every group how the build ended. Where the whole of it is refused as too large or unfit, without the runner's metadata: a
 * backend may take less than the topic allows, and an end that cannot be told would be sent again for ever.
 */
export async function sendFinished(outlet: Outlet, topics: OrchestratorTopics, build: EndedBuild): Promise<void> {
  const { requestId, request } = build;
  const body = {
    id: build.buildId?.id ?? null,
    request_id: requestId,
    status: build.status,
    reason: build.reason,
    repo_url: request.repo_url,
    commit_sha: request.commit_sha,
    metadata: build.metadata,
    polls: build.polls,
    started_at: build.triggeredAt === null ? null : isoTime(build.triggeredAt),
    finished_at: isoTime(build.finishedAt ?? build.updatedAt),
  };
  const name = { id: finishedName(requestId), key: requestId };
  try {
    await outlet.publish(topics.finished, body, name);
  } catch (error) {
    if (!(error instanceof QueueError && (error.code === 'payload-too-large' || error.code === 'invalid'))) throw error;
    await outlet.publish(topics.finished, { ...body, metadata: {} }, name);
  }
}

/**
 * Sends the poll that is next again, with what is left of its delay. Never more than the whole delay: the record's
 * time may be that of another machine.
 */
export async function resendPoll(outlet: Outlet, ports: Ports, build: TriggeredBuild): Promise<void> {
  const wholeMs = pollDelayMs(build, ports.pollDelays, ports.random());
  await sendPoll(outlet, ports.topics, build, remainingMs(build.nextPollAt, wholeMs, ports.now()));
}

/** Sets the alarm again, with what is left of it. */
export async function resendDeadline(outlet: Outlet, ports: Ports, build: TriggeredBuild): Promise<void> {
  await sendDeadline(outlet, ports.topics, build, remainingMs(build.deadlineAt, ports.buildDeadlineMs, ports.now()));
}

function remainingMs(dueAt: number | null, wholeMs: number, now: number): number {
  return dueAt === null ? 0 : Math.min(wholeMs, Math.max(0, dueAt - now));
}

function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
