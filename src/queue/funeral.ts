import { messageFormat } from './codec.js';
import type { QueueContext } from './context.js';
import type { DeadLetterNotice } from './dead-letter.js';
import { type Death, freshCounts, type Received, type Send } from './driver.js';
import { laneOf } from './lane.js';
import { idOf } from './message.js';
import { newId } from './new-id.js';
import { nextNonce } from './outgoing.js';
import type { Topic } from './topic.js';

/** What leaves with the ack of a message that a group gives up on: the letter itself, and the notice that its topic asks for. */
export function buryingSends(
  context: QueueContext,
  topic: Topic,
  group: string,
  received: Received,
  death: Death,
): { readonly letter: Send; readonly notice: Send | null } {
  const id = idOf(received.message);
  const { notice, expireAfterMs } = topic.deadLetters;
  const letter: Send = {
    target: { kind: 'dead', group, death, expireAfterMs },
    message: { ...received.message, id },
    lane: laneOf(received.message.key ?? id, topic.lanes),
    counts: received.counts,
    delayMs: 0,
    nonce: nextNonce(context),
    unmatched: 'reject',
    dedup: null,
  };
  return { letter, notice: notice === null ? null : noticeSend(context, notice, group, received, id, death) };
}

function noticeSend(
  context: QueueContext,
  noticeTopic: Topic,
  group: string,
  received: Received,
  id: string,
  death: Death,
): Send {
  const { topic, key, routingKey } = received.message;
  const { error: _, ...facts } = death;
  const notice: DeadLetterNotice = { id, topic, group, key, routingKey, ...facts };
  return {
    target: { kind: 'topic' },
    message: {
      id: newId(context.clock.now()),
      topic: noticeTopic.name,
      key,
      routingKey: topic,
      headers: {},
      body: Buffer.from(JSON.stringify(notice)),
      publishedAt: context.clock.now(),
      format: messageFormat,
    },
    lane: laneOf(key ?? id, noticeTopic.lanes),
    counts: freshCounts,
    delayMs: 0,
    nonce: nextNonce(context),
    // Nobody reading the notices must not keep a message from being buried.
    unmatched: 'discard',
    dedup: null,
  };
}
