import {
  type DriverLease,
  type DriverSubscription,
  type Receipt,
  type Received,
  Refusal,
  type Settlement,
  type SettleResult,
  type SubscribeOptions,
  systemClock,
} from '../driver.js';
import type { KnownGroup } from './catalogue.js';
import type { Claimer } from './claimer.js';
import type { Context } from './context.js';
import { claimsOf, Hold, type Holds } from './hold.js';
import type { Waiter } from './intake.js';
import type { Row } from './link.js';
import { countsOf, readMessage } from './message-row.js';
import type { Pauses } from './pauses.js';
import type { Settler } from './settler.js';
import { held } from './statements.js';

/** What a subscription needs of its driver. */
export interface Desk {
  readonly context: Context;
  readonly claimer: Claimer;
  readonly settler: Settler;
  readonly holds: Holds;
  readonly pauses: Pauses;
  /** Throws a `closed` refusal unless the driver is open. */
  check(): void;
  closed(subscription: MysqlSubscription): void;
}

/** See `DriverSubscription`. Follows its group by name: one that was removed and added again is another one. */
export class MysqlSubscription implements DriverSubscription {
  readonly lease: DriverLease;
  readonly #desk: Desk;
  readonly #options: SubscribeOptions;
  readonly #holds = new Set<Hold>();
  /** Ends what is pending. */
  readonly #pending = new Set<() => void>();
  #closing: Promise<void> | null = null;
  #paused = false;
  #leavePauses: () => void = () => {};

  constructor(desk: Desk, options: SubscribeOptions) {
    this.#desk = desk;
    this.#options = options;
    this.lease = { ms: desk.context.leaseMs, extend: (receipts, ms) => this.#extend(receipts, ms) };
  }

  /** Before it is given to anybody: it must hear of every pause. */
  async begin(): Promise<void> {
    const { topic, group, onPaused } = this.#options;
    this.#leavePauses = await this.#desk.pauses.join({
      topic,
      group,
      heed: (paused) => {
        if (paused === this.#paused || this.#closing !== null) return;
        this.#paused = paused;
        onPaused?.(paused);
      },
    });
  }

  async receive(max: number, waitMs: number, signal: AbortSignal): Promise<readonly Received[]> {
    this.#check();
    if (signal.aborted || max <= 0) return [];
    const group = await this.#desk.context.catalogue.group(this.#options.topic, this.#options.group);
    this.#check();
    if (signal.aborted) return [];
    try {
      return await this.#receive(group, max, waitMs, signal);
    } catch (error) {
      // Gone, or another one of the same name since: the next call finds out from the tables.
      if (error instanceof Refusal && error.code === 'not-found') await this.#desk.context.catalogue.refresh();
      throw error;
    }
  }

  async settle(batch: readonly Settlement[]): Promise<readonly SettleResult[]> {
    this.#check();
    return this.#desk.settler.settle(batch);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #receive(group: KnownGroup, max: number, waitMs: number, signal: AbortSignal): Promise<readonly Received[]> {
    const { claimer } = this.#desk;
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        max,
        once: waitMs <= 0,
        answer: (rows) => {
          end();
          resolve(rows.map(({ row, hold }) => this.#received(row, hold)));
        },
        fail: (error) => {
          end();
          reject(error);
        },
      };
      const stop = (): void => {
        claimer.leave(intake, waiter);
        end();
        resolve([]);
      };
      const cancelTimeout = waitMs > 0 ? systemClock.schedule(stop, waitMs) : () => {};
      const end = (): void => {
        cancelTimeout();
        signal.removeEventListener('abort', stop);
        this.#pending.delete(stop);
      };
      signal.addEventListener('abort', stop);
      this.#pending.add(stop);
      const intake = claimer.wait(group, waiter);
    });
  }

  #received(row: Row, hold: Hold): Received {
    this.#holds.add(hold);
    this.#desk.holds.add(
      hold,
      () => this.#holds.delete(hold),
      () => this.#options.onLost([hold]),
    );
    return {
      receipt: hold,
      ...readMessage(this.#options.topic, row),
      counts: countsOf(row),
      redeliveries: Number(row.handouts),
    };
  }

  /** One statement; only when it found fewer than it was given is it asked which. */
  async #extend(receipts: readonly Receipt[], ms: number): Promise<readonly ('done' | 'lost')[]> {
    this.#check();
    const { quick, statements } = this.#desk.context;
    const holds = receipts.filter((receipt): receipt is Hold => receipt instanceof Hold && receipt.live);
    if (holds.length === 0) return receipts.map(() => 'lost');
    const where = held(claimsOf(holds));
    const kept = await quick.run(async (link) => {
      const { affectedRows } = await link.write(statements.extend(where.sql), [...where.values, Math.ceil(ms)]);
      if (affectedRows === holds.length) return null;
      const rows = await link.rows(statements.live + where.sql, where.values);
      return new Set(rows.map(({ id }) => Number(id)));
    });
    const live = new Set<Receipt>(holds.filter(({ id }) => kept === null || kept.has(id)));
    return receipts.map((receipt) => (live.has(receipt) ? 'done' : 'lost'));
  }

  async #close(): Promise<void> {
    for (const stop of [...this.#pending]) stop();
    this.#leavePauses();
    this.#desk.closed(this);
    const holds = [...this.#holds];
    for (const hold of holds) hold.end();
    await giveUp(this.#desk.context, holds);
  }

  #check(): void {
    this.#desk.check();
    if (this.#closing === null) return;
    throw new Refusal('closed', `subscription "${this.#options.consumer}" is closed`, 'subscribe again');
  }
}

/** What is held goes back to its old place, and was handed out without an answer. Where even this cannot be said, the leases end. */
async function giveUp({ senders, statements, wakes, logger }: Context, holds: readonly Hold[]): Promise<void> {
  if (holds.length === 0) return;
  const where = held(claimsOf(holds));
  try {
    await senders.run((link) => link.write(statements.giveBack + where.sql, [0, ...where.values]));
    wakes.tell(new Set(holds.map(({ group }) => group.id)), 0);
  } catch (cause) {
    logger.warn({ messages: holds.length, cause }, 'what a closed subscription held comes again when its lease ends');
  }
}
