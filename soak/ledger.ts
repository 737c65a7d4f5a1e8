import type { Entry, SendOutcome, SettleOutcome, Verb } from './journal.js';
import { groupsOf, type Plan, planOf, type TopicName } from './plan.js';

/** A call that stored a message, or may have: a publish, or an ack with the message in its outbox. */
export interface SendRecord {
  readonly at: number;
  /** Null while nothing is known: its process was killed first. */
  endAt: number | null;
  outcome: SendOutcome | null;
}

/** One hand-out of one message to one handler. */
export interface Hand {
  readonly process: string;
  readonly topic: TopicName;
  readonly group: string;
  readonly id: string;
  readonly attempt: number;
  readonly postpones: number;
  readonly at: number;
  settle: { readonly verb: Verb; readonly delayMs: number; readonly at: number } | null;
  outcome: SettleOutcome | null;
  endAt: number | null;
  leaseLost: boolean;
}

export interface MessageRecord {
  readonly n: number;
  readonly sends: SendRecord[];
  readonly hands: Hand[];
}

/** The journals of all processes, put together by message. Entries of one journal come in order, journals in any. */
export class Ledger {
  readonly messages = new Map<number, MessageRecord>();
  /** When each process was killed. */
  readonly processKills = new Map<string, number>();
  readonly serverKills: number[] = [];
  readonly serverReady: number[] = [];
  /** How often users got to see which error, by operation and code. */
  readonly errors = new Map<string, number>();
  /** Groups that were promised a message and have not settled it for good. */
  readonly owed = new Set<string>();
  handOuts = 0;
  lastHandAt = 0;
  readonly #plan: Plan;
  readonly #hands = new Map<string, { readonly hand: Hand; readonly n: number; left: SendRecord | null }>();
  readonly #over = new Set<string>();

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  add(entry: Entry): void {
    switch (entry.e) {
      case 'send':
        this.record(entry.n).sends.push({ at: entry.at, endAt: null, outcome: null });
        return;
      case 'sent':
        this.#sent(entry.n, this.record(entry.n).sends.at(-1), entry.outcome, entry.at);
        return;
      case 'hand':
        this.#handed(entry);
        return;
      case 'settle':
        this.#settling(entry);
        return;
      case 'settled':
        this.#settled(entry.hand, entry.outcome, entry.at);
        return;
      case 'lost':
        this.#hand(entry.hand).hand.leaseLost = true;
        return;
      case 'error': {
        const error = `${entry.operation}: ${entry.code}`;
        this.errors.set(error, (this.errors.get(error) ?? 0) + 1);
        return;
      }
      case 'killed':
        this.processKills.set(entry.process, entry.at);
        return;
      case 'server-killed':
        this.serverKills.push(entry.at);
        return;
      case 'server-ready':
        this.serverReady.push(entry.at);
    }
  }

  /** Whether the last word on all that is owed is an ack (or a reject) that nobody answered, which may have taken effect. */
  allOwedMayBeSettled(): boolean {
    return [...this.owed].every((name) => {
      const [n = '', group] = name.split('/');
      const last = this.record(Number(n))
        .hands.filter((hand) => hand.group === group)
        .at(-1);
      if (last?.settle?.verb !== 'ack' && last?.settle?.verb !== 'reject') return false;
      return last.outcome === null || last.outcome === 'unknown';
    });
  }

  record(n: number): MessageRecord {
    let record = this.messages.get(n);
    if (record === undefined) {
      record = { n, sends: [], hands: [] };
      this.messages.set(n, record);
    }
    return record;
  }

  #sent(n: number, send: SendRecord | undefined, outcome: SendOutcome, at: number): void {
    if (send === undefined) throw new Error(`the journal tells the end of a send of message ${n} that never began`);
    send.endAt = at;
    send.outcome = outcome;
    if (outcome !== 'stored') return;
    for (const group of groupsOf[planOf(this.#plan, n).topic]) {
      if (!this.#over.has(`${n}/${group}`)) this.owed.add(`${n}/${group}`);
    }
  }

  #handed({ hand, n, ...entry }: Entry & { readonly e: 'hand' }): void {
    const { topic, group, id, attempt, postpones, at } = entry;
    const process = hand.slice(0, hand.indexOf('/'));
    const made: Hand = {
      ...{ process, topic, group, id, attempt, postpones, at },
      ...{ settle: null, outcome: null, endAt: null, leaseLost: false },
    };
    this.#hands.set(hand, { hand: made, n, left: null });
    this.record(n).hands.push(made);
    this.handOuts++;
    this.lastHandAt = Math.max(this.lastHandAt, at);
  }

  #settling({ hand: name, verb, delayMs, leaves, at }: Entry & { readonly e: 'settle' }): void {
    const held = this.#hand(name);
    held.hand.settle = { verb, delayMs, at };
    if (leaves === null) return;
    held.left = { at, endAt: null, outcome: null };
    this.record(leaves).sends.push(held.left);
  }

  #settled(name: string, outcome: SettleOutcome, at: number): void {
    const { hand, n, left } = this.#hand(name);
    hand.outcome = outcome;
    hand.endAt = at;
    if (left !== null) {
      const invoice = n + this.#plan.messages;
      // Whether what leaves before its ack has left when the ack failed, nobody says: not refused, but unknown.
      this.#sent(invoice, left, outcome === 'done' ? 'stored' : 'unknown', at);
    }
    if (outcome !== 'done' || (hand.settle?.verb !== 'ack' && hand.settle?.verb !== 'reject')) return;
    this.#over.add(`${n}/${hand.group}`);
    this.owed.delete(`${n}/${hand.group}`);
  }

  #hand(name: string): { readonly hand: Hand; readonly n: number; left: SendRecord | null } {
    const hand = this.#hands.get(name);
    if (hand === undefined) throw new Error(`the journal tells of hand-out ${name}, which never began`);
    return hand;
  }
}
