import type { Driver, DriverSubscription, StoredMessage, TopicTopology } from '../queue/driver.js';
import { classifyWith, wrapError } from '../queue/failure.js';
import { type Clock, type Logger, QueueError, sleep } from '../queue/index.js';
import { readOptions } from '../queue/options.js';
import { groupSchema } from '../queue/topic.js';
import { machineName } from './machine-name.js';
import { removeForgottenTails } from './remove-forgotten-tails.js';
import { longestTailMs, tailGroupName } from './tail-group.js';

export interface Tailing {
  /** Not yet opened; it is closed at the end. */
  readonly driver: Driver;
  readonly topic: string;
  /** Which messages; null: what `group` gets, and where that is null as well, all. */
  readonly patterns: readonly string[] | null;
  readonly group: string | null;
  /** Ends it after so many. */
  readonly limit: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called once what is published from now on will be shown. */
  readonly onReady: () => void;
  readonly onMessage: (message: StoredMessage) => void;
  /** Called when somebody removed the group in between, so that messages may not have been shown. */
  readonly onGap: () => void;
}

const prefetch = 64;
const receiveWaitMs = 30_000;
const retryMs = 1_000;
/** Between the end of a tail and the moment from which its group counts as forgotten. */
const graceMs = 60 * 60 * 1_000;

/**
 * Shows what is published to a topic, and takes it from nobody: through a group of its own, which it removes at the end. On the driver and not
 * on a queue, since bodies are shown as they are: no schema is known here, and what is no JSON must not become a dead letter. Ends
 * when asked to, after `limit` messages, or after a day. Rejects with `QueueError`.
 */
export async function tailTopic(tailing: Tailing): Promise<void> {
  const { driver, topic, clock, logger } = tailing;
  const operation = `show what is published to "${topic}"`;
  const wanted = readOptions(operation, groupSchema, tailing.patterns === null ? {} : { patterns: tailing.patterns });
  const over = new AbortController();
  const cancel = clock.schedule(() => over.abort(), longestTailMs);
  try {
    await driver.open({ logger, emit: () => {} });
    const removed = await removeForgottenTails(driver.admin, clock.now());
    if (removed.length > 0) logger.info({ groups: removed }, 'removed the groups of tails that were killed');
    const patterns = patternsFor(operation, await driver.admin.topics(), tailing) ?? wanted.patterns;
    const expiresAt = clock.now() + longestTailMs + graceMs;
    const group = tailGroupName({ expiresAt, host: machineName(), processId: process.pid }, Math.random());
    try {
      await driver.admin.addGroup(topic, { name: group, patterns });
      await follow({ ...tailing, signal: AbortSignal.any([tailing.signal, over.signal]) }, { group, patterns });
    } finally {
      await driver.admin.removeGroup(topic, group);
    }
  } catch (error) {
    throw wrapError(operation, driver, error);
  } finally {
    cancel();
    await driver.close();
  }
}

/** Patterns of the group that is named; null where none is. */
function patternsFor(operation: string, topics: readonly TopicTopology[], tailing: Tailing): readonly string[] | null {
  const { topic, group } = tailing;
  const found = topics.find(({ name }) => name === topic);
  if (found === undefined) {
    throw new QueueError(`cannot ${operation}: there is no such topic; "signalbox topics" shows what is there`, {
      code: 'not-found',
    });
  }
  if (group === null) return null;
  const like = found.groups.find(({ name }) => name === group);
  if (like !== undefined) return like.patterns;
  throw new QueueError(
    `cannot ${operation}: it has no group "${group}" whose messages to show; "signalbox topics" shows what is there`,
    { code: 'not-found' },
  );
}

interface OwnGroup {
  readonly group: string;
  readonly patterns: readonly string[];
}

async function follow(tailing: Tailing, { group, patterns }: OwnGroup): Promise<void> {
  const { driver, topic, limit, clock, signal, onReady, onGap } = tailing;
  const classify = classifyWith(driver);
  let subscription: DriverSubscription | null = null;
  let shown = 0;
  let isReady = false;
  while (!signal.aborted && shown < limit) {
    try {
      subscription ??= await driver.subscribe({ topic, group, prefetch, consumer: group, onLost: () => {} });
      if (!isReady) onReady();
      isReady = true;
      shown += await showNext(subscription, tailing, limit - shown);
    } catch (error) {
      const { code, retryable } = classify(error);
      if (code !== 'not-found' && !retryable) throw error;
      await subscription?.close().catch(() => {});
      subscription = null;
      if (code === 'not-found') {
        await driver.admin.addGroup(topic, { name: group, patterns });
        onGap();
      } else await sleep(clock, retryMs, signal);
    }
  }
  await subscription?.close().catch(() => {});
}

/** Answers how many were shown. What cannot be settled comes again, and is shown again. */
async function showNext(
  subscription: DriverSubscription,
  { onMessage, signal }: Tailing,
  most: number,
): Promise<number> {
  const received = await subscription.receive(Math.min(most, prefetch), receiveWaitMs, signal);
  for (const { message } of received) onMessage(message);
  if (received.length > 0) {
    await subscription.settle(received.map(({ receipt }) => ({ kind: 'ack', receipt, outbox: [] })));
  }
  return received.length;
}
