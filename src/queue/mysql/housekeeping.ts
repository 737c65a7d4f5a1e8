import { sleep, systemClock } from '../driver.js';
import type { Context } from './context.js';
import { emptyBox } from './declaring.js';

/** ±half, so that processes that were started together do not all come at once. */
const everyMs = 60_000;
const atOnce = 500;

/**
 * Deletes what is over and nobody looks at: idempotency keys and letters that have expired, rows of groups that were removed while
 * something was just being published to them. A few rows at a time, so that nobody waits for it.
 */
export class Housekeeping {
  readonly #context: Context;
  readonly #stopping = new AbortController();
  readonly #done: Promise<void>;

  constructor(context: Context) {
    this.#context = context;
    this.#done = this.#keep();
  }

  close(): Promise<void> {
    this.#stopping.abort();
    return this.#done;
  }

  async #keep(): Promise<void> {
    const { signal } = this.#stopping;
    for (;;) {
      await sleep(systemClock, everyMs * (0.5 + Math.random()), signal);
      if (signal.aborted) return;
      // Another round comes: whatever keeps this one from being done is seen by those who work.
      await this.#tidy(signal).catch((cause: unknown) =>
        this.#context.logger.warn({ cause }, 'tidying the tables failed; trying again'),
      );
    }
  }

  async #tidy(signal: AbortSignal): Promise<void> {
    const { senders, statements, tables } = this.#context;
    for (const statement of [statements.forgetOldKeys, statements.forgetOldLetters]) {
      while (!signal.aborted) {
        const { affectedRows } = await senders.run((link) => link.write(statement));
        if (affectedRows < atOnce) break;
      }
    }
    const orphans = await senders.run((link) =>
      link.rows(
        `select b.box from (select distinct box from ${tables.messages}) b
         left join ${tables.groups} g on g.id = b.box
         where g.id is null`,
      ),
    );
    for (const { box } of orphans) {
      while (!signal.aborted && (await senders.run((link) => emptyBox(link, tables, Number(box), atOnce))) === atOnce) {
        // The next few.
      }
    }
  }
}
