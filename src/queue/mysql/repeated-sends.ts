import { performance } from 'node:perf_hooks';
import { RecentSends, type Send, type SendResult } from '../driver.js';
import { groupsOf, type Placed } from './batch.js';
import type { Context } from './context.js';
import { bytes, text } from './sql-values.js';

/** Answers that were lost and not asked for again. */
const mostUnknown = 40_960;

/**
 * Recognises repeated sends of one call by their nonce. Whoever repeats a call is the process that made it, so what was stored
 * is remembered here and no index of nonces is kept in the table (a third index, of random values, on every insert). What is not known,
 * because the answer was lost with the connection, is looked for in the table before it is sent again; what was
 * consumed by then is not found and comes twice, with the same id.
 */
export class RepeatedSends {
  readonly #stored = new RecentSends();
  readonly #unknown = new Map<string, number>();

  find(nonce: string): SendResult | undefined {
    return this.#stored.find(nonce);
  }

  remember(nonce: string, result: SendResult): void {
    if (result.status === 'failed') return;
    this.#unknown.delete(nonce);
    this.#stored.remember(nonce, result);
  }

  /** It may have been stored. Forgotten after so many that whoever repeats has given up. */
  unknown({ nonce }: Send): void {
    if (this.#unknown.size >= mostUnknown) this.#unknown.clear();
    if (!this.#unknown.has(nonce)) this.#unknown.set(nonce, performance.now());
  }

  /** The entries without those that an earlier try has stored after all; `found` is told of these. */
  async withoutStored(
    { senders, statements }: Context,
    placed: readonly Placed[],
    found: (entry: Placed) => void,
  ): Promise<readonly Placed[]> {
    const doubtful = this.#unknown.size === 0 ? [] : placed.filter(({ send }) => this.#unknown.has(send.nonce));
    const boxes = [...new Set(doubtful.flatMap((entry) => groupsOf(entry).map(({ id }) => id)))];
    if (boxes.length === 0) return placed;
    const since = Math.min(...doubtful.map(({ send }) => this.#unknown.get(send.nonce) as number));
    // A span of this machine's, and a minute more: no two clocks are compared.
    const spanMs = Math.ceil(performance.now() - since) + 60_000;
    const nonces = doubtful.map(({ send }) => bytes(send.nonce));
    const rows = await senders.run((link) =>
      link.rows(statements.storedWithNonce, [boxes, spanMs, nonces, boxes, nonces, nonces]),
    );
    const stored = new Set(rows.map(({ nonce }) => text(nonce, null)));
    return placed.filter((entry) => {
      const isStored = doubtful.includes(entry) && stored.has(entry.send.nonce);
      if (isStored) found(entry);
      return !isStored;
    });
  }
}
