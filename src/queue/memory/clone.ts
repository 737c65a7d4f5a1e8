import type { Counts, Death, Send, StoredMessage } from '../driver.js';

/**
 * What is stored shares no memory with what a user sent or got, or his changes would reach others.
 * `new Uint8Array` and not `slice`: a Buffer's slice is the same memory. Written out field by field,
 * because foreign fields of a user's object are none of the store's business.
 */
export function cloneMessage(message: StoredMessage): StoredMessage {
  return {
    id: message.id,
    topic: message.topic,
    key: message.key,
    routingKey: message.routingKey,
    headers: { ...message.headers },
    body: new Uint8Array(message.body),
    publishedAt: message.publishedAt,
    format: message.format,
  };
}

export function cloneCounts(counts: Counts): Counts {
  return { attempt: counts.attempt, postpones: counts.postpones, firstFailedAt: counts.firstFailedAt };
}

export function cloneDeath(death: Death): Death {
  return { ...death, error: death.error === null ? null : { ...death.error } };
}

/** For a send that is to be stored later: its caller may use his objects again at once. */
export function cloneSend(send: Send): Send {
  const { target } = send;
  return {
    ...send,
    target: target.kind === 'dead' ? { ...target, death: cloneDeath(target.death) } : { ...target },
    message: cloneMessage(send.message),
    counts: cloneCounts(send.counts),
    dedup: send.dedup === null ? null : { ...send.dedup },
  };
}
