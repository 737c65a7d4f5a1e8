import { systemClock } from '../driver.js';
import type { Claimer } from './claimer.js';
import type { Context } from './context.js';
import type { Intake } from './intake.js';
import type { Row } from './link.js';
import type { Pauses } from './pauses.js';
import { now, numericOrNull } from './sql-values.js';
import type { Tables } from './tables.js';

/** 20 statements a second while nothing comes, however many subscriptions there are. */
const idleMs = 50;

/** While messages come from other processes. */
const busyMs = 5;
const slowDownBy = 1.3;

/** While the database cannot be asked: each look would make a connection. */
const longestMs = 1_000;

/** A due time that is just reached must have passed when it is asked for. */
const roundingMs = 2;

/**
 * Looks for all groups that this process waits for, in one plain SELECT: what other processes have put there, what falls
 * due next, leases that have ended, groups that have gone. What this process puts there itself it tells without a look.
 */
export class Prober {
  readonly #context: Context;
  readonly #claimer: Claimer;
  readonly #pauses: Pauses;
  #cancel: (() => void) | null = null;
  #intervalMs = idleMs;
  #running: Promise<void> | null = null;
  #closed = false;

  constructor(context: Context, claimer: Claimer, pauses: Pauses) {
    this.#context = context;
    this.#pauses = pauses;
    this.#claimer = claimer;
    claimer.onWaiting = () => this.#schedule();
  }

  /** Something is expected that nobody will tell of: a caller's transaction that may commit. */
  quicken(): void {
    this.#intervalMs = busyMs;
    this.#cancel?.();
    this.#cancel = null;
    this.#schedule();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#running;
  }

  #schedule(): void {
    if (this.#closed || this.#cancel !== null || this.#running !== null) return;
    this.#cancel = systemClock.schedule(() => {
      this.#cancel = null;
      this.#running = this.#probe().finally(() => {
        this.#running = null;
        if (this.#claimer.waiting.length > 0) this.#schedule();
      });
    }, this.#intervalMs);
  }

  async #probe(): Promise<void> {
    const { quick, tables } = this.#context;
    const intakes = this.#claimer.waiting;
    if (intakes.length === 0) return;
    let found = false;
    try {
      const rows = await quick.run((link) => link.rows(probeOf(tables, intakes)));
      for (const row of rows) {
        const box = Number(row.box);
        const isOver = [row.ends_at, row.line_ends_at].some((end) => end !== null && Number(end) <= Number(row.now_ms));
        if (isOver) await this.#takeBackLate(box);
        const isPaused = row.paused !== null;
        if (row.there !== null && isPaused !== this.#claimer.isPaused(box)) await this.#pauses.look();
        if (isPaused) continue;
        if (this.#act(box, row, isOver)) found = true;
      }
      this.#intervalMs = found ? busyMs : Math.min(idleMs, this.#intervalMs * slowDownBy);
    } catch {
      // Whoever claims finds out the same, and is told; a probe has nobody to tell.
      this.#intervalMs = Math.min(longestMs, Math.max(idleMs, this.#intervalMs * 2));
    }
  }

  async #takeBackLate(box: number): Promise<void> {
    const { quick, statements } = this.#context;
    await quick.run(async (link) => {
      const ids = (await link.rows(statements.late, [box])).map(({ id }) => Number(id));
      if (ids.length > 0) await link.write(statements.expire, [ids]);
    });
  }

  /** Answers whether there was something that nobody had told of. */
  #act(box: number, row: Row, isOver: boolean): boolean {
    if (row.there === null) {
      this.#claimer.gone(box);
      return false;
    }
    const nowMs = Number(row.now_ms);
    const dueAt = numericOrNull(row.due_at);
    const isReady = isOver || (dueAt !== null && dueAt <= nowMs);
    if (isReady) this.#claimer.wake(box, 0);
    else if (dueAt !== null) this.#claimer.wake(box, dueAt - nowMs + roundingMs);
    if (row.line !== null) this.#claimer.wake(box, 0);
    return isReady;
  }
}

/**
 * The ends of each range of the index, which is one dive each, whatever stands between them. With the box as a literal: as a
 * reference to another table, MySQL sorts the range to find its first row (22 ms with 100 000 rows instead of 0.4).
 */
export function probeOf({ messages, groups }: Tables, intakes: readonly { readonly group: Intake['group'] }[]): string {
  const first = (box: number, stage: number): string =>
    `(select min(visible_after) from ${messages} where box = ${box} and stage = ${stage})`;
  return intakes
    .map(({ group: { id, topic } }) => {
      const ordered = topic.ordering === 'key';
      const line = ordered ? `(select 1 from ${messages} where box = ${id} and stage = 2 limit 1)` : 'null';
      return `select ${id} as box, (select id from ${groups} where id = ${id}) as there,
        (select paused from ${groups} where id = ${id}) as paused, ${now} as now_ms, ${first(id, 0)} as due_at,
        ${first(id, 1)} as ends_at, ${ordered ? first(id, 3) : 'null'} as line_ends_at, ${line} as line`;
    })
    .join(' union all ');
}
