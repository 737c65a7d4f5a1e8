import {
  type Counts,
  type DeadTarget,
  freshCounts,
  noGroup,
  noTopic,
  RecentSends,
  Refusal,
  type Send,
  type SendResult,
  type StoredMessage,
  unroutable,
} from '../driver.js';
import type { Catalogue } from './catalogue.js';
import { cloneCounts, cloneDeath, cloneMessage } from './clone.js';
import type { Group } from './group.js';
import type { Topic } from './topic.js';
import type { Transaction } from './transaction.js';

/** Where an entry of a send goes, decided without changing anything. */
type Placement =
  | { readonly kind: 'answered'; readonly result: SendResult }
  | { readonly kind: 'groups'; readonly topic: Topic; readonly groups: readonly Group[] }
  | { readonly kind: 'letters'; readonly topic: Topic; readonly group: Group; readonly target: DeadTarget };

/** What a message brings when it comes into a group. Counts: fresh ones unless given; delay: none unless given. */
interface Arrival {
  readonly message: StoredMessage;
  readonly lane: number;
  readonly counts?: Counts;
  readonly delayMs?: number;
}

/** How what is sent gets to where it belongs. Groups that get something are added to `changed`. */
export class Sending {
  readonly #catalogue: Catalogue;
  readonly #changed: Set<Group>;
  readonly #recentSends = new RecentSends();

  constructor(catalogue: Catalogue, changed: Set<Group>) {
    this.#catalogue = catalogue;
    this.#changed = changed;
  }

  /** Stores one entry, or answers why not. */
  send(send: Send, now: number): SendResult {
    const known = this.#recentSends.find(send.nonce);
    if (known !== undefined) return known;
    const placement = this.#place(send, now);
    const result = placement.kind === 'answered' ? placement.result : this.#put(send, placement, now);
    if (result.status !== 'failed') this.#recentSends.remember(send.nonce, result);
    return result;
  }

  /** As `send`, but keeps it in the transaction. */
  sendWithin(transaction: Transaction, send: Send, now: number): SendResult {
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

  /** Takes a message into a group as if it were new. */
  add(group: Group, { message, lane, counts = freshCounts, delayMs = 0 }: Arrival, now: number): void {
    group.add({ message, lane, counts: cloneCounts(counts), unanswered: 0, place: 0, dueAt: 0 }, delayMs, now);
    this.#changed.add(group);
  }

  /** Stores all of them, or none and answers why. */
  sendAll(sends: readonly Send[], now: number): unknown {
    for (const send of sends) {
      const placement = this.#place(send, now);
      if (placement.kind === 'answered' && placement.result.status === 'failed') return placement.result.error;
    }
    for (const send of sends) this.send(send, now);
    return null;
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

  #place(send: Send, now: number): Placement {
    const { target, message, dedup } = send;
    const topic = this.#catalogue.find(message.topic);
    if (topic === undefined) return failed(noTopic(message.topic));
    const duplicateOf = dedup === null ? null : topic.idempotencyKeys.idOf(dedup.key, now);
    if (duplicateOf !== null) return { kind: 'answered', result: { status: 'duplicate', id: duplicateOf } };
    if (target.kind === 'topic') {
      const groups = topic.groupsFor(message.routingKey);
      if (groups.length === 0 && send.unmatched === 'reject')
        return failed(unroutable(message.topic, message.routingKey));
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
      const { lane, counts, delayMs } = send;
      const arrival: Arrival = { message, lane, counts, delayMs };
      for (const group of placement.groups) this.add(group, arrival, now);
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

/** Sends one by one; after one failed, later ones of its key fail as well, or they would overtake its repetition. */
export function inOrderOfKeys(batch: readonly Send[], sendOne: (send: Send) => SendResult): readonly SendResult[] {
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
