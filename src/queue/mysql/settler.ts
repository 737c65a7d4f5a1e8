import { performance } from 'node:perf_hooks';
import { classifyMysql } from '../../sql/mysql-errors.js';
import type { Settlement, SettleResult } from '../driver.js';
import { tellArrivals } from './arrivals.js';
import { batchOf } from './batch.js';
import type { Context } from './context.js';
import { Hold } from './hold.js';
import { StaleCatalogue } from './insert.js';
import { isLockNotGiven } from './lock-conflict.js';
import { ackAll, ackOne, type Ending, isPlainAck, type Settled, SomeLost, settleAll } from './settling.js';

interface Call {
  readonly batch: readonly Settlement[];
  readonly resolve: (results: readonly SettleResult[]) => void;
  readonly reject: (error: unknown) => void;
}

const mostLooks = 10;

/** For so long after a lock was waited for in vain, none is waited for: or all settlements would wait for that one again and again. */
const carefulForMs = 10_000;

/**
 * Settles for the whole process: what the readers bring while one transaction is under way goes together in the next (20 000
 * acks per second on one connection, against 1 600 one by one, and no delay when idle).
 */
export class Settler {
  readonly #context: Context;
  #waiting: Call[] = [];
  #running: Promise<void> | null = null;
  #carefulUntil = Number.NEGATIVE_INFINITY;

  constructor(context: Context) {
    this.#context = context;
  }

  /** See `DriverSubscription.settle`. */
  settle(batch: readonly Settlement[]): Promise<readonly SettleResult[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ batch, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // After this turn, so that readers who settle in one turn go together.
    await Promise.resolve();
    while (this.#waiting.length > 0) await this.#settle(this.#waiting.splice(0));
    this.#running = null;
  }

  async #settle(calls: readonly Call[]): Promise<void> {
    const endings = new Map<Settlement, Ending>();
    const named = new Set<Hold>();
    for (const settlement of calls.flatMap(({ batch }) => batch)) {
      const { receipt } = settlement;
      // The same receipt twice in one batch: the second finds it settled.
      if (!(receipt instanceof Hold) || !receipt.live || named.has(receipt)) continue;
      named.add(receipt);
      endings.set(settlement, { hold: receipt, settlement });
    }
    try {
      const results = await this.#end([...endings.values()]);
      for (const { batch, resolve } of calls) {
        resolve(
          batch.map((settlement) => {
            const ending = endings.get(settlement);
            return ending === undefined ? lost : (results.get(ending) ?? lost);
          }),
        );
      }
    } catch (error) {
      for (const { reject } of calls) reject(error);
    }
  }

  async #end(endings: readonly Ending[]): Promise<ReadonlyMap<Ending, SettleResult>> {
    const results = new Map<Ending, SettleResult>();
    // What may wait for somebody's transaction waits alone.
    const [keyed, others] = [endings.filter(hasKeys), endings.filter((ending) => !hasKeys(ending))];
    const groups = [...keyed.map((ending) => [ending]), ...(others.length > 0 ? [others] : [])];
    await Promise.all(groups.map((group) => this.#endTogether(group, results)));
    return results;
  }

  get #isCareful(): boolean {
    return performance.now() < this.#carefulUntil;
  }

  async #endTogether(endings: readonly Ending[], results: Map<Ending, SettleResult>): Promise<void> {
    try {
      const settled = await this.#attempt(endings);
      const freed = new Set<number>();
      for (const [ending, result] of settled.results) {
        results.set(ending, result);
        if (result.status === 'failed') continue;
        ending.hold.end();
        // Of an ordered group, the next of its key can be claimed.
        if (ending.hold.group.topic.ordering === 'key') freed.add(ending.hold.group.id);
      }
      tellArrivals(this.#context.wakes, [...settled.arrivals, ...[...freed].map((box) => ({ box, inMs: 0 }))]);
    } catch (error) {
      // (What has idempotency keys is alone, and may wait for those.)
      if (isLockNotGiven(error) && !this.#isCareful && !endings.some(hasKeys)) {
        this.#carefulUntil = performance.now() + carefulForMs;
        return this.#endTogether(endings, results);
      }
      const { outcomeUnknown, retryable } = classifyMysql(error);
      if (outcomeUnknown || retryable) throw error;
      if (endings.length === 1) results.set(endings[0] as Ending, { status: 'failed', error });
      // One that the server does not take, and nothing was changed: it must not take the others along.
      else for (const ending of endings) await this.#endTogether([ending], results);
    }
  }

  async #attempt(endings: readonly Ending[]): Promise<Settled> {
    const { quick, settling, senders, catalogue } = this.#context;
    const [only] = endings;
    const careful = this.#isCareful;
    const plain = !careful && endings.every(isPlainAck);
    if (plain && only !== undefined && endings.length === 1) {
      return quick.run((link) => ackOne(link, this.#context, only));
    }
    if (plain) {
      try {
        return await settling.transact((link) => ackAll(link, this.#context, endings));
      } catch (error) {
        if (!(error instanceof SomeLost)) throw error;
      }
    }
    await this.#lookWhereRefused(endings);
    const session = endings.some(hasKeys) ? senders : settling;
    for (let look = 1; ; look++) {
      try {
        return await session.transact((link) => settleAll(link, this.#context, endings, { waits: !careful }));
      } catch (error) {
        if (!(error instanceof StaleCatalogue) || look >= mostLooks) throw error;
        await catalogue.refresh();
      }
    }
  }

  /** What an outbox wants and this process does not know, another may have declared. */
  async #lookWhereRefused(endings: readonly Ending[]): Promise<void> {
    const { catalogue } = this.#context;
    const sends = endings.flatMap(({ settlement }) => (settlement.kind === 'ack' ? settlement.outbox : []));
    const { results } = batchOf(sends, catalogue.topics, () => undefined);
    if (results.some((result) => result !== undefined)) await catalogue.refresh();
  }
}

const lost: SettleResult = Object.freeze({ status: 'lost' });

function hasKeys({ settlement }: Ending): boolean {
  return settlement.kind === 'ack' && settlement.outbox.some(({ dedup }) => dedup !== null);
}
