import type { Counts, Death, Send, StoredMessage } from '../driver.js';

/**
 * What is stored shares no memory with what a user sent or got, or his changes would reach others.
 * `new Uint8Array` and not `slice`: a Buffer's slice is the same memory. Written out field by field,
 * because foreign fields of a user's object are none of the store's business.
 */
export function cloneMessage(message: StoredMessage): StoredMessage {
  return withBody(message, new Uint8Array(message.body));
}

/**
 * As `cloneMessage`, for a hand-out: the body is cut from Node's buffer pool, as network clients do it, for
 * 0.1 us instead of 0.6. What is kept is not: one letter of 200 bytes would keep 8 KiB alive.
 */
export function handedOut(message: StoredMessage): StoredMessage {
  const { byteLength } = message.body;
  const pooled = Buffer.allocUnsafe(byteLength);
  const body = new Uint8Array(pooled.buffer, pooled.byteOffset, byteLength);
  body.set(message.body);
  return withBody(message, body);
}

function withBody(message: StoredMessage, body: Uint8Array): StoredMessage {
  const { id, topic, key, routingKey, headers, publishedAt, format } = message;
  return { id, topic, key, routingKey, headers: { ...headers }, body, publishedAt, format };
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
