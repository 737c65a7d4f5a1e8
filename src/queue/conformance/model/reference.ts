import assert from 'node:assert/strict';
import type { Capabilities, Counts, Death, Received, StoredMessage } from '../../driver.js';

/** When something happened, as far as an onlooker can tell. On a virtual clock both ends are the same instant. */
export interface Moment {
  readonly from: number;
  readonly to: number;
}

export const later = ({ from, to }: Moment, ms: number): Moment => ({ from: from + ms, to: to + ms });

/** A message that a group still owes somebody. */
export interface Copy {
  readonly message: StoredMessage;
  counts: Counts;
  /** Hand-outs without an answer, at least and at most: a backend that pushes hands out what nobody asked for yet. */
  unanswered: { readonly min: number; readonly max: number };
  /** Its place in the line: when it became due, and among equals the order of being put there. */
  due: Moment;
  turn: number;
  hold: Hold | null;
}

export interface Hold {
  readonly copy: Copy;
  readonly group: Group;
  readonly reader: number;
  /** Null where the connection keeps it. */
  endsAt: Moment | null;
}

export interface Group {
  readonly topic: string;
  readonly name: string;
  readonly ordered: boolean;
  copies: Copy[];
  letters: { readonly message: StoredMessage; readonly death: Death; readonly buried: Moment }[];
}

/** How far a backend can be held to the order of service and to its own clock. */
export interface Strictness {
  readonly capabilities: Pick<Capabilities, 'ordering' | 'countsRedeliveries' | 'countsGiveBack' | 'lease'>;
  /** How much earlier than its due time a message may be seen, because two machines round differently. */
  readonly toleranceMs: number;
  /** How much later than at its due time a message may take its place in the line, where somebody has to move it there. */
  readonly lateMs: number;
  /**
   * Whether what is due at the same time comes in the order in which it was sent, whatever its key. In real time that is
   * only one call, of which the driver interface promises the order per key and no more.
   */
  readonly ranksEquals: boolean;
}

/**
 * What a driver must do, said with lists and nothing clever: every copy that a group owes, in the order in
 * which they were put there. Each method is one thing that happened; it fails where that must not happen.
 */
export class Reference {
  readonly #strictness: Strictness;
  #turns = 0;

  constructor(
    strictness: Strictness,
    readonly groups: readonly Group[],
  ) {
    this.#strictness = strictness;
  }

  /** When what was put there at a time is due. */
  due(when: Moment, delayMs: number): Moment {
    const { from, to } = later(when, delayMs);
    // Keys share lanes where a broker gives whole lanes away: there, what waited is moved into its lane when it is due.
    const isMoved = delayMs > 0 && this.#strictness.capabilities.ordering.keyIsolation === 'window';
    return { from, to: isMoved ? to + this.#strictness.lateMs : to };
  }

  /** A message was put at the end of a group's line, to be handed out when it is due. */
  put(group: Group, message: StoredMessage, counts: Counts, due: Moment): void {
    group.copies.push({ message, counts, unanswered: none, due, turn: ++this.#turns, hold: null });
  }

  /** A reader was handed a message. `inOrder`: what the group owed before it had to come first. */
  handOut(group: Group, reader: number, received: Received, now: Moment, inOrder: boolean): Hold {
    const { message, counts, redeliveries } = received;
    const copy = group.copies.find((one) => one.message.id === message.id);
    const what = `${message.id} came to ${nameOf(group)}`;
    assert.ok(copy !== undefined, `${what}, which is owed no such message (any more)`);
    assert.ok(copy.hold === null, `${what} while another hold of it lasts`);
    assert.ok(copy.due.from - this.#strictness.toleranceMs <= now.to, `${what} ${copy.due.from - now.to} ms early`);
    assert.deepEqual({ ...message, body: [...message.body] }, { ...copy.message, body: [...copy.message.body] }, what);
    assert.deepEqual(counts, copy.counts, `${what} with wrong counts`);
    this.#checkRedeliveries(what, copy, redeliveries);
    this.#checkKey(what, group, copy, reader);
    // Lanes have an order each: what `#checkKey` sees to.
    const isInLanes = group.ordered && this.#strictness.capabilities.ordering.keyIsolation === 'window';
    if (inOrder && !isInLanes) {
      const line = this.#strictness.ranksEquals ? null : new Set(sameKey(group, copy));
      const first = this.owed(group, now).find((other) =>
        line === null || line.has(other) ? before(other, copy) : other.due.to < copy.due.from,
      );
      assert.ok(first === undefined, `${what} before ${first?.message.id}, which was due before it`);
    }
    copy.unanswered = { min: redeliveries + 1, max: redeliveries + 1 };
    const lease = this.#strictness.capabilities.lease;
    copy.hold = { copy, group, reader, endsAt: lease && later(now, lease.ms) };
    return copy.hold;
  }

  /** What a reader that asks now must get: due, in nobody's hand, and the first of its key while none of it is. */
  owed(group: Group, now: Moment): readonly Copy[] {
    return group.copies.filter(
      (copy) =>
        copy.hold === null &&
        copy.due.to <= now.from &&
        !sameKey(group, copy).some((other) => other.hold !== null || before(other, copy)),
    );
  }

  ack(hold: Hold): void {
    this.#end(hold);
    hold.group.copies = hold.group.copies.filter((copy) => copy !== hold.copy);
  }

  /** It left its place, and comes again with new counts. */
  release({ group, copy, ...hold }: Hold, counts: Counts, due: Moment): void {
    this.ack({ group, copy, ...hold });
    this.put(group, copy.message, counts, due);
  }

  giveBack(hold: Hold): void {
    this.#end(hold);
    const { min, max } = hold.copy.unanswered;
    if (!this.#strictness.capabilities.countsGiveBack) hold.copy.unanswered = { min: min - 1, max: max - 1 };
  }

  /** It ended without an answer: back in its old place, and counted. */
  lose(hold: Hold): void {
    this.#end(hold);
  }

  /** A reader's connection ended. Where the backend pushes, what it had sent ahead may count as handed out too. */
  leave(group: Group, reader: number): void {
    for (const { hold } of group.copies) if (hold?.reader === reader) this.lose(hold);
    if (this.#strictness.capabilities.lease !== null) return;
    for (const copy of group.copies) copy.unanswered = { ...copy.unanswered, max: copy.unanswered.max + 1 };
  }

  /** Leases that are over by now. */
  expire(now: Moment): void {
    for (const { hold } of this.groups.flatMap(({ copies }) => copies)) {
      if (hold !== null && hold.endsAt !== null && hold.endsAt.to <= now.from) this.lose(hold);
    }
  }

  #end(hold: Hold): void {
    hold.copy.hold = null;
  }

  #checkRedeliveries(what: string, { unanswered: { min, max } }: Copy, redeliveries: number): void {
    const { countsRedeliveries } = this.#strictness.capabilities;
    const [least, most] = countsRedeliveries ? [min, max] : [0, Math.min(max, 1)];
    const right = least <= redeliveries && redeliveries <= most;
    assert.ok(
      right,
      `${what} with ${redeliveries} redeliveries instead of ${least === most ? most : `${least} to ${most}`}`,
    );
  }

  /** Contract 11. Where a lane has a window, one reader may be handed several of a key, in order; two readers never. */
  #checkKey(what: string, group: Group, copy: Copy, reader: number): void {
    const full = this.#strictness.capabilities.ordering.keyIsolation === 'full';
    for (const other of sameKey(group, copy)) {
      const inHand = other.hold !== null && (full || other.hold.reader !== reader);
      assert.ok(!inHand, `${what} while ${other.message.id} of the same key is in hand`);
      assert.ok(other.hold !== null || !before(other, copy), `${what} before ${other.message.id} of the same key`);
    }
  }
}

export function nameOf({ topic, name }: Group): string {
  return `${topic}/${name}`;
}

const none = { min: 0, max: 0 };

/** The other copies of a copy's key, where there is an order of keys. */
function sameKey(group: Group, copy: Copy): readonly Copy[] {
  const { key } = copy.message;
  if (!group.ordered || key === null) return [];
  return group.copies.filter((other) => other !== copy && other.message.key === key);
}

/** Surely before it in the line. */
function before(one: Copy, other: Copy): boolean {
  const sameTime = one.due.from === other.due.from && one.due.to === other.due.to;
  return one.due.to < other.due.from || (sameTime && one.turn < other.turn);
}
