import {
  type Clock,
  type Counts,
  type DeclareOptions,
  type DeclareReport,
  type Depth,
  freshCounts,
  type GroupTopology,
  type LetterBox,
  type LetterList,
  type LetterPage,
  type Receipt,
  Refusal,
  type Send,
  type SendResult,
  type Settlement,
  type SettleResult,
  type StoredMessage,
  type Target,
  type TopicTopology,
  type Topology,
} from '../driver.js';
import { Catalogue, noGroup, noTopic } from './catalogue.js';
import { cloneCounts, cloneDeath, cloneMessage } from './clone.js';
import type { Group } from './group.js';
import type { Buried, Letters } from './letters.js';
import { LostLetters } from './lost-letters.js';
import { Hold } from './reader.js';
import { RecentSends } from './recent-sends.js';
import type { Topic } from './topic.js';
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

/** Where an entry of a send goes, decided without changing anything. */
type Placement =
  | { readonly kind: 'answered'; readonly result: SendResult }
  | { readonly kind: 'groups'; readonly topic: Topic; readonly groups: readonly Group[] }
  | { readonly kind: 'letters'; readonly topic: Topic; readonly group: Group; readonly target: DeadTarget };

type DeadTarget = Extract<Target, { kind: 'dead' }>;

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
  readonly #recentSends = new RecentSends();
  /** Groups that the call under way changed: their readers are served when all of it is done. */
  readonly #changed = new Set<Group>();

  constructor(options: { readonly clock: Clock; readonly leaseMs: number; readonly name: string }) {
    this.clock = options.clock;
    this.leaseMs = options.leaseMs;
    this.name = options.name;
    this.#catalogue = new Catalogue(this.clock, this.#lost);
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
    for (const letter of letters) this.#add(groupOf(letter) as Group, letter.message, letter.lane, freshCounts, 0, now);
    this.#serveChanged(now);
    return letters.length;
  }

  /** The open transaction for whose end these sends must wait, because it has used an idempotency key of theirs. */
  blockerOf(sends: readonly Send[], within: Transaction | null): Transaction | null {
    for (const { dedup, message } of sends) {
      if (dedup === null) continue;
      const user = this.#catalogue.find(message.topic)?.idempotencyKeys.userOf(dedup.key) ?? null;
      if (user !== null && user !== within) return user;
    }
    return null;
  }

  send(batch: readonly Send[]): readonly SendResult[] {
    const now = this.clock.now();
    const results = inOrderOfKeys(batch, (send) => this.#send(send, now));
    this.#serveChanged(now);
    return results;
  }

  /** As `send`, but kept in the transaction until it is committed. */
  sendWithin(transaction: Transaction, batch: readonly Send[]): readonly SendResult[] {
    const now = this.clock.now();
    return inOrderOfKeys(batch, (send) => this.#sendWithin(transaction, send, now));
  }

  /** Stores what a transaction kept. What its topic or group takes no more is dropped, as if it had been removed a moment later. */
  commit(sends: readonly Send[]): void {
    const now = this.clock.now();
    for (const send of sends) this.#send(send, now);
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

  #send(send: Send, now: number): SendResult {
    const known = this.#recentSends.find(send.nonce);
    if (known !== undefined) return known;
    const placement = this.#place(send, now);
    const result = placement.kind === 'answered' ? placement.result : this.#put(send, placement, now);
    if (result.status !== 'failed') this.#recentSends.remember(send.nonce, result);
    return result;
  }

  #sendWithin(transaction: Transaction, send: Send, now: number): SendResult {
    const known = transaction.answerTo(send.nonce) ?? this.#recentSends.find(send.nonce);
    if (known !== undefined) return known;
    const { dedup, message } = send;
    const keys = dedup === null ? undefined : this.#catalogue.find(message.topic)?.idempotencyKeys;
    const used = dedup === null || keys === undefined ? null : transaction.idOf(keys, dedup.key);
    if (used !== null) return { status: 'duplicate', id: used };
    const placement = this.#place(send, now);
    if (placement.kind === 'answered') return placement.result;
    const result = stored(placement.kind === 'groups' ? placement.groups.length : 1);
    transaction.keep(send, result);
    if (dedup !== null && keys !== undefined) transaction.useKey(keys, dedup.key, nameOf(message));
    return result;
  }

  #place(send: Send, now: number): Placement {
    const { target, message, dedup } = send;
    const topic = this.#catalogue.find(message.topic);
    if (topic === undefined) return failed(noTopic(message.topic));
    const duplicateOf = dedup === null ? null : topic.idempotencyKeys.idOf(dedup.key, now);
    if (duplicateOf !== null) return { kind: 'answered', result: { status: 'duplicate', id: duplicateOf } };
    if (target.kind === 'topic') {
      const groups = topic.groupsFor(message.routingKey);
      if (groups.length === 0 && send.unmatched === 'reject') return failed(unroutable(message));
      return { kind: 'groups', topic, groups };
    }
    const group = topic.groups.get(target.group);
    if (group === undefined) return failed(noGroup(topic.name, target.group));
    if (target.kind === 'group') return { kind: 'groups', topic, groups: [group] };
    return { kind: 'letters', topic, group, target };
  }

  #put(send: Send, placement: Exclude<Placement, { kind: 'answered' }>, now: number): SendResult {
    const { dedup } = send;
    const message = cloneMessage(send.message);
    if (dedup !== null) placement.topic.idempotencyKeys.use(dedup.key, nameOf(message), dedup.windowMs, now);
    if (placement.kind === 'groups') {
      for (const group of placement.groups) this.#add(group, message, send.lane, send.counts, send.delayMs, now);
      return stored(placement.groups.length);
    }
    const { death, expireAfterMs } = placement.target;
    placement.group.dead.bury({
      message,
      lane: send.lane,
      topic: placement.topic.name,
      group: placement.group.name,
      death: cloneDeath(death),
      buriedAt: now,
      expiresAt: expireAfterMs === null ? Number.POSITIVE_INFINITY : now + expireAfterMs,
    });
    return stored(1);
  }

  #add(group: Group, message: StoredMessage, lane: number, counts: Counts, delayMs: number, now: number): void {
    group.add({ message, lane, counts: cloneCounts(counts), unanswered: 0, place: 0, dueAt: 0 }, delayMs, now);
    this.#changed.add(group);
  }

  #settle(settlement: Settlement, now: number): SettleResult {
    const hold = heldBy(settlement.receipt, now);
    if (hold === null) return lost;
    if (settlement.kind === 'ack' && settlement.outbox.length > 0) {
      const error = this.#sendAll(settlement.outbox, now);
      if (error !== null) return { status: 'failed', error };
    }
    if (settlement.kind === 'ack') hold.group.ack(hold);
    else if (settlement.kind === 'give-back') hold.group.giveBack(hold);
    else hold.group.release(hold, settlement.delayMs, settlement.counts, now);
    this.#changed.add(hold.group);
    return done;
  }

  /** Stores all of them, or none and answers why. */
  #sendAll(sends: readonly Send[], now: number): unknown {
    for (const send of sends) {
      const placement = this.#place(send, now);
      if (placement.kind === 'answered' && placement.result.status === 'failed') return placement.result.error;
    }
    for (const send of sends) this.#send(send, now);
    return null;
  }

  #box(box: LetterBox, now: number): Letters {
    return box.kind === 'lost' ? this.#lost.letters(now) : this.group(box.topic, box.group).dead;
  }

  #serveChanged(now: number): void {
    for (const group of this.#changed) group.serve(now);
    this.#changed.clear();
  }
}

const done: SettleResult = { status: 'done' };
const lost: SettleResult = { status: 'lost' };

/** The hold that a receipt stands for, or null: it ended, or the receipt is none of ours. */
function heldBy(receipt: Receipt, now: number): Hold | null {
  return receipt instanceof Hold && receipt.group.holds(receipt, now) ? receipt : null;
}

/** The usual answer is one frozen object: it is remembered with every nonce. */
const storedForOne: SendResult = Object.freeze({ status: 'stored', groups: 1 });

function stored(groups: number): SendResult {
  return groups === 1 ? storedForOne : { status: 'stored', groups };
}

function failed(error: Refusal): Placement {
  return { kind: 'answered', result: { status: 'failed', error } };
}

/** Only a foreign message has no id, and nobody publishes such with an idempotency key. */
function nameOf({ id }: StoredMessage): string {
  return id ?? '';
}

function unroutable({ topic, routingKey }: StoredMessage): Refusal {
  const key = routingKey === null ? 'a message without a routing key' : `routing key "${routingKey}"`;
  const remedy = "declare a group whose patterns accept it, or the topic with unmatched: 'discard'";
  return new Refusal('unroutable', `no group of topic "${topic}" accepts ${key}`, remedy);
}

/** Sends one by one; after one failed, later ones of its key fail as well, or they would overtake its repetition. */
function inOrderOfKeys(batch: readonly Send[], sendOne: (send: Send) => SendResult): readonly SendResult[] {
  const stopped = new Map<string, Set<string>>();
  return batch.map((send) => {
    const { topic, key } = send.message;
    if (stopped.size > 0 && key !== null && stopped.get(topic)?.has(key)) return overtaking(topic, key);
    const result = sendOne(send);
    if (result.status === 'failed' && key !== null) {
      stopped.set(topic, (stopped.get(topic) ?? new Set()).add(key));
    }
    return result;
  });
}

function overtaking(topic: string, key: string): SendResult {
  const subject = `an earlier message of key "${key}" in this batch to topic "${topic}" was not stored`;
  return { status: 'failed', error: new Refusal('conflict', subject, 'send it again after that one') };
}
