import type {
  Clock,
  DeclareOptions,
  DeclareReport,
  Depth,
  DrainedLetter,
  GroupTopology,
  LetterBox,
  LetterList,
  LetterPage,
  Receipt,
  Send,
  SendResult,
  Settlement,
  SettleResult,
  TopicTopology,
  Topology,
  Waiting,
} from '../driver.js';
import { Catalogue } from './catalogue.js';
import type { Group } from './group.js';
import type { Buried, Letters } from './letters.js';
import { LostLetters } from './lost-letters.js';
import { Hold } from './reader.js';
import { inOrderOfKeys, Sending } from './sending.js';
import { type MemoryTransaction, Transaction } from './transaction.js';

export interface MemoryStoreOptions {
  /** Every time in the store is this clock's. Default: the machine's. */
  readonly clock?: Clock;
  /** How long a hand-out is kept for its holder unless extended. Default: 30 000. */
  readonly leaseMs?: number;
  /** What its drivers are called in errors, logs and reports. Default: `memory`. */
  readonly name?: string;
}

/**
 * All that a memory queue knows. It outlives the drivers that are opened on it: opening one on a kept store
 * stands for a restart, two at once for two processes.
 */
export interface MemoryStore {
  readonly name: string;
  readonly clock: Clock;
  readonly leaseMs: number;
  /** Begins a transaction whose sends become visible together, or not at all. */
  begin(): MemoryTransaction;
}

/**
 * The store as its drivers see it. No method waits: each happens in one instant, so that no two ever see
 * each other half-way. Where one of them would have to wait, for another's transaction, the driver waits
 * before it calls (`blockerOf`).
 */
export class Store implements MemoryStore {
  readonly name: string;
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly #lost = new LostLetters();
  readonly #catalogue: Catalogue;
  readonly #sending: Sending;
  /** Groups that the call under way changed: their readers are served when all of it is done. */
  readonly #changed = new Set<Group>();

  constructor(options: { readonly clock: Clock; readonly leaseMs: number; readonly name: string }) {
    this.clock = options.clock;
    this.leaseMs = options.leaseMs;
    this.name = options.name;
    this.#catalogue = new Catalogue(this.clock, this.#lost);
    this.#sending = new Sending(this.#catalogue, this.#changed);
  }

  begin(): Transaction {
    return new Transaction(this);
  }

  declare(topology: Topology, options: DeclareOptions): DeclareReport {
    return this.#catalogue.declare(topology, options, this.clock.now());
  }

  topics(): readonly TopicTopology[] {
    return this.#catalogue.topologies();
  }

  addGroup(topic: string, group: GroupTopology): void {
    this.#catalogue.addGroup(this.#catalogue.topic(topic), group, this.clock.now());
  }

  removeGroup(topic: string, name: string): void {
    this.#catalogue.removeGroup(this.#catalogue.topic(topic), name, this.clock.now());
  }

  /** Throws a `not-found` refusal. */
  group(topic: string, name: string): Group {
    return this.#catalogue.group(topic, name);
  }

  pause(topic: string, group: string): void {
    this.group(topic, group).pause();
  }

  resume(topic: string, group: string): void {
    this.group(topic, group).resume(this.clock.now());
  }

  /** See `DriverAdmin.drain`. */
  async drain(
    topic: string,
    name: string,
    max: number,
    keep: (waiting: readonly Waiting[]) => Promise<void>,
  ): Promise<number> {
    const group = this.group(topic, name);
    const taken = group.takeOut(max, this.clock.now());
    if (taken.length === 0) return 0;
    try {
      await keep(taken.map(({ waiting }) => waiting));
    } catch (error) {
      for (const { putBack } of taken) putBack();
      group.serve(this.clock.now());
      throw error;
    }
    for (const { remove } of taken) remove();
    return taken.length;
  }

  /** See `DriverAdmin.drainLetters`. */
  async drainLetters(
    topic: string,
    group: string,
    max: number,
    keep: (letters: readonly DrainedLetter[]) => Promise<void>,
  ): Promise<number> {
    return this.group(topic, group).dead.drain(max, this.clock.now(), keep);
  }

  depth(topic: string, group: string): Depth {
    return this.group(topic, group).depth(this.clock.now());
  }

  letters(box: LetterBox, page: LetterPage): LetterList {
    const now = this.clock.now();
    return this.#box(box, now).list(page, now);
  }

  purge(box: LetterBox, ids: readonly string[] | 'all'): number {
    const now = this.clock.now();
    return this.#box(box, now).take(ids, now).length;
  }

  redrive(box: LetterBox, ids: readonly string[] | 'all'): number {
    const now = this.clock.now();
    const groupOf = ({ topic, group }: Buried): Group | undefined => this.#catalogue.find(topic)?.groups.get(group);
    const letters = this.#box(box, now).take(ids, now, (letter) => groupOf(letter) !== undefined);
    for (const letter of letters) this.#sending.add(groupOf(letter) as Group, letter, now);
    this.#serveChanged(now);
    return letters.length;
  }

  /** The open transaction for whose end these sends must wait, because it has used an idempotency key of theirs. */
  blockerOf(sends: readonly Send[], within: Transaction | null): Transaction | null {
    return this.#sending.blockerOf(sends, within);
  }

  send(batch: readonly Send[]): readonly SendResult[] {
    const now = this.clock.now();
    const results = inOrderOfKeys(batch, (send) => this.#sending.send(send, now));
    this.#serveChanged(now);
    return results;
  }

  /** As `send`, but kept in the transaction until it is committed. */
  sendWithin(transaction: Transaction, batch: readonly Send[]): readonly SendResult[] {
    const now = this.clock.now();
    return inOrderOfKeys(batch, (send) => this.#sending.sendWithin(transaction, send, now));
  }

  /** Stores what a transaction kept. What its topic or group takes no more is dropped, as if it had been removed a moment later. */
  commit(sends: readonly Send[]): void {
    const now = this.clock.now();
    for (const send of sends) this.#sending.send(send, now);
    this.#serveChanged(now);
  }

  settle(batch: readonly Settlement[]): readonly SettleResult[] {
    const now = this.clock.now();
    const results = batch.map((settlement) => this.#settle(settlement, now));
    this.#serveChanged(now);
    return results;
  }

  extend(receipts: readonly Receipt[], ms: number): readonly ('done' | 'lost')[] {
    const now = this.clock.now();
    return receipts.map((receipt) => {
      const hold = heldBy(receipt, now);
      if (hold === null) return 'lost';
      hold.group.extend(hold, now + ms);
      return 'done';
    });
  }

  #settle(settlement: Settlement, now: number): SettleResult {
    const hold = heldBy(settlement.receipt, now);
    if (hold === null) return lost;
    if (settlement.kind === 'ack' && settlement.outbox.length > 0) {
      const error = this.#sending.sendAll(settlement.outbox, now);
      if (error !== null) return { status: 'failed', error };
    }
    if (settlement.kind === 'ack') hold.group.ack(hold);
    else if (settlement.kind === 'give-back') hold.group.giveBack(hold);
    else hold.group.release(hold, settlement.delayMs, settlement.counts, now);
    this.#changed.add(hold.group);
    return done;
  }

  #box(box: LetterBox, now: number): Letters {
    return box.kind === 'lost' ? this.#lost.letters(now) : this.group(box.topic, box.group).dead;
  }

  #serveChanged(now: number): void {
    for (const group of this.#changed) group.serve(now);
    this.#changed.clear();
  }
}

const done: SettleResult = Object.freeze({ status: 'done' });
const lost: SettleResult = Object.freeze({ status: 'lost' });

/** The hold that a receipt stands for, or null: it ended, or the receipt is none of ours. */
function heldBy(receipt: Receipt, now: number): Hold | null {
  return receipt instanceof Hold && receipt.group.holds(receipt, now) ? receipt : null;
}
