import { randomUUID } from 'node:crypto';
import {
  type Clock,
  type Counts,
  type Depth,
  type Waiting as Drained,
  type GroupTopology,
  matches,
  type Received,
  type Refusal,
} from '../driver.js';
import type { Backlog } from './backlog.js';
import { cloneCounts, handedOut } from './clone.js';
import { byDueTime, type Copy } from './copy.js';
import { Heap } from './heap.js';
import { Letters } from './letters.js';
import { OrderedBacklog } from './ordered-backlog.js';
import { Hold, Reader } from './reader.js';
import { UnorderedBacklog } from './unordered-backlog.js';
import { Waiting } from './waiting.js';

/** What the groups of a topic have in common. */
export interface Shape {
  readonly ordering: 'none' | 'key';
  readonly lanes: number;
}

/**
 * One group of one topic: its copies, each of them due (`#backlog`), delayed, or in hand; its readers; its
 * dead letters. `now` is always the store's clock, read once per call of a client, so that whatever a
 * call does happens in one instant. Whoever changed a group calls `serve` when all is done.
 */
export class Group {
  readonly dead = new Letters();
  patterns: readonly string[];
  readonly #backlog: Backlog;
  readonly #delayed = new Heap<Copy>(byDueTime);
  readonly #readers = new Set<Reader>();
  readonly #waiting: Waiting;
  #paused = false;
  #lastPlace = 0;
  #inHand = 0;
  /** No lease ends before this. Extensions and settlements leave it too low, and a look at all leases repairs it. */
  #leasesHoldUntil = Number.POSITIVE_INFINITY;

  constructor(
    readonly name: string,
    patterns: readonly string[],
    shape: Shape,
    clock: Clock,
  ) {
    this.patterns = [...patterns];
    this.#backlog = backlogOf(shape);
    this.#waiting = new Waiting(clock, () => this.serve(clock.now()));
  }

  /** One copy however many patterns match. */
  accepts(routingKey: string | null): boolean {
    for (const pattern of this.patterns) if (matches(pattern, routingKey)) return true;
    return false;
  }

  topology(): GroupTopology {
    return { name: this.name, patterns: [...this.patterns] };
  }

  depth(now: number): Depth {
    this.#catchUp(now);
    const oldestDueAt = this.#backlog.oldestDueAt();
    return {
      ready: this.#backlog.size,
      delayed: this.#delayed.size,
      inHand: this.#inHand,
      dead: this.dead.count(now),
      oldestAgeMs: oldestDueAt === null ? 0 : now - oldestDueAt,
      paused: this.#paused,
    };
  }

  /** Nothing is handed out until `resume`. */
  pause(): void {
    this.#paused = true;
    this.#tellReaders();
  }

  resume(now: number): void {
    this.#paused = false;
    this.#tellReaders();
    this.serve(now);
  }

  /** Takes a copy in; what fell due until now keeps its place before it. */
  add(copy: Copy, delayMs: number, now: number): void {
    this.#promote(now);
    copy.place = ++this.#lastPlace;
    copy.dueAt = delayMs > 0 ? now + delayMs : now;
    if (delayMs > 0) this.#delayed.push(copy);
    else this.#backlog.add(copy);
  }

  /** Takes in again what was delayed when a group of this name was removed, with the due time it had. */
  adopt(copy: Copy): void {
    copy.place = ++this.#lastPlace;
    this.#delayed.push(copy);
  }

  join(reader: Reader): void {
    this.#readers.add(reader);
    reader.tellPaused(this.#paused);
    this.#backlog.share([...this.#readers]);
  }

  /** What the reader holds goes back; what it waits for ends empty, or never if its process is gone. */
  leave(reader: Reader, gone: 'closed' | 'killed'): void {
    if (!this.#readers.delete(reader)) return;
    if (gone === 'closed') this.#waiting.end(reader);
    else this.#waiting.forget(reader);
    this.takeBack(reader);
    this.#backlog.share([...this.#readers]);
  }

  /** Everything the reader holds goes back, in its old place, unanswered. Answers what it held. */
  takeBack(reader: Reader): readonly Hold[] {
    const { holds } = reader;
    for (const hold of holds) this.#putBack(hold);
    return holds;
  }

  /** Hands out up to `max` of what is due, in the order of service. */
  take(reader: Reader, max: number, now: number): readonly Received[] {
    this.#catchUp(now);
    if (this.#paused) return [];
    const leaseEndsAt = now + reader.leaseMs;
    const received: Received[] = [];
    while (received.length < max) {
      const copy = this.#backlog.take(reader);
      if (copy === undefined) break;
      const hold = new Hold(copy, this, reader, leaseEndsAt);
      reader.add(hold);
      received.push({
        receipt: hold,
        message: handedOut(copy.message),
        counts: cloneCounts(copy.counts),
        redeliveries: copy.unanswered++,
      });
    }
    this.#inHand += received.length;
    if (received.length > 0) this.#noteLease(leaseEndsAt);
    return received;
  }

  /** What waits leaves the line, delayed or not, paused or not, until it is put back or removed. */
  takeOut(
    max: number,
    now: number,
  ): readonly { readonly waiting: Drained; readonly putBack: () => void; readonly remove: () => void }[] {
    this.#catchUp(now);
    const out: { waiting: Drained; putBack: () => void; remove: () => void }[] = [];
    const told = (copy: Copy, delayMs: number): Drained => {
      copy.identity ??= randomUUID();
      const { message, counts, identity } = copy;
      return { message: handedOut(message), counts: cloneCounts(counts), delayMs, identity };
    };
    // Nobody shares its lanes: it takes of all of them.
    const reader = new Reader(0, () => {});
    this.#backlog.share([reader]);
    while (out.length < max) {
      const copy = this.#backlog.take(reader);
      if (copy === undefined) break;
      out.push({
        waiting: told(copy, 0),
        putBack: () => this.#backlog.putBack(copy),
        remove: () => this.#backlog.letGo(copy),
      });
    }
    this.#backlog.share([...this.#readers]);
    while (out.length < max) {
      const copy = this.#delayed.pop();
      if (copy === undefined) break;
      out.push({ waiting: told(copy, copy.dueAt - now), putBack: () => this.#delayed.push(copy), remove: () => {} });
    }
    return out;
  }

  /** As `take`, but answers when there is something, or empty: after `waitMs`, or when the signal aborts. */
  wait(reader: Reader, max: number, waitMs: number, signal: AbortSignal): Promise<readonly Received[]> {
    const received = this.#waiting.wait(reader, max, waitMs, signal);
    this.#setAlarm();
    return received;
  }

  /** Gives those who wait what there is for them, and has itself woken for what falls due next. */
  serve(now: number): void {
    if (this.#waiting.size === 0) return;
    for (const waiter of this.#waiting) {
      const received = this.take(waiter.reader, waiter.max, now);
      if (received.length > 0) this.#waiting.answer(waiter, received);
    }
    this.#setAlarm();
  }

  /** Whether the holder still has it: his lease has not ended, and nothing else ended the hold. */
  holds(hold: Hold, now: number): boolean {
    this.#expireLeases(now);
    return hold.live;
  }

  /** Moves the end of the lease of a live hold, in either direction. */
  extend(hold: Hold, leaseEndsAt: number): void {
    hold.leaseEndsAt = leaseEndsAt;
    this.#noteLease(leaseEndsAt);
  }

  /** The copy of a live hold is done with. */
  ack(hold: Hold): void {
    this.#end(hold);
    this.#backlog.letGo(hold.copy);
  }

  /** The copy of a live hold leaves its place and comes back, after the delay, behind what is there by then. */
  release(hold: Hold, delayMs: number, counts: Counts, now: number): void {
    this.#end(hold);
    this.#backlog.letGo(hold.copy);
    hold.copy.counts = cloneCounts(counts);
    hold.copy.unanswered = 0;
    this.add(hold.copy, delayMs, now);
  }

  /** The copy of a live hold goes back to its old place as if it had never been handed out. */
  giveBack(hold: Hold): void {
    hold.copy.unanswered--;
    this.#putBack(hold);
  }

  /**
   * The group is removed: what is in hand can no longer be settled, what is waited for never comes.
   * Answers the delayed copies, which the group's end does not end.
   */
  remove(now: number, refusal: Refusal): readonly Copy[] {
    this.#catchUp(now);
    for (const reader of this.#readers) for (const hold of reader.holds) this.#end(hold);
    this.#readers.clear();
    this.#waiting.failAll(refusal);
    return this.#delayed.drain();
  }

  #tellReaders(): void {
    for (const reader of this.#readers) reader.tellPaused(this.#paused);
  }

  #catchUp(now: number): void {
    this.#expireLeases(now);
    this.#promote(now);
  }

  /** What is delayed stands outside the line until it is due, then goes to its end. */
  #promote(now: number): void {
    for (;;) {
      const next = this.#delayed.peek();
      if (next === undefined || next.dueAt > now) return;
      this.#delayed.pop();
      next.place = ++this.#lastPlace;
      this.#backlog.add(next);
    }
  }

  /** Costs one comparison until the first lease may have ended; leases are seldom left to end. */
  #expireLeases(now: number): void {
    if (now < this.#leasesHoldUntil) return;
    let holdUntil = Number.POSITIVE_INFINITY;
    for (const reader of this.#readers) {
      for (const hold of reader.holds) {
        if (hold.leaseEndsAt <= now) this.#putBack(hold);
        else holdUntil = Math.min(holdUntil, hold.leaseEndsAt);
      }
    }
    this.#leasesHoldUntil = holdUntil;
  }

  #noteLease(endsAt: number): void {
    if (endsAt >= this.#leasesHoldUntil) return;
    this.#leasesHoldUntil = endsAt;
    this.#setAlarm();
  }

  #putBack(hold: Hold): void {
    this.#end(hold);
    this.#backlog.putBack(hold.copy);
  }

  #end(hold: Hold): void {
    hold.live = false;
    hold.reader.remove(hold);
    if (--this.#inHand === 0) this.#leasesHoldUntil = Number.POSITIVE_INFINITY;
  }

  #setAlarm(): void {
    this.#waiting.alarm(Math.min(this.#delayed.peek()?.dueAt ?? Number.POSITIVE_INFINITY, this.#leasesHoldUntil));
  }
}

function backlogOf(shape: Shape): Backlog {
  return shape.ordering === 'key' ? new OrderedBacklog(shape.lanes) : new UnorderedBacklog();
}
