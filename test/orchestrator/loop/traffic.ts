import type { Send } from '../../../src/queue/driver.js';

/**
 * The messages of `build.signal` that the backend has: sent and not acked yet. Seen from below the library, so that
 * the test counts what is there and not what somebody believes to have sent.
 */
export class Traffic {
  /** By message id. */
  readonly live = new Map<string, number>();
  sent = 0;
  readonly #nonces = new Set<string>();

  stored(send: Send): void {
    if (send.message.topic !== 'build.signal' || send.target.kind !== 'topic') return;
    // A repeated send of one call, which the backend recognises and stores nothing for.
    if (this.#nonces.has(send.nonce)) return;
    this.#nonces.add(send.nonce);
    this.sent += 1;
    this.#add(send.message.id ?? '', 1);
  }

  acked(topic: string, id: string): void {
    if (topic === 'build.signal') this.#add(id, -1);
  }

  /** Numbers of the polls of one build that are there, one per copy. */
  pollsOf(requestId: string): readonly number[] {
    const prefix = `${requestId}/poll/`;
    return [...this.live].flatMap(([id, copies]) =>
      id.startsWith(prefix) ? Array.from({ length: copies }, () => Number(id.slice(prefix.length))) : [],
    );
  }

  #add(id: string, copies: number): void {
    const now = (this.live.get(id) ?? 0) + copies;
    if (now === 0) this.live.delete(id);
    else this.live.set(id, now);
  }
}
