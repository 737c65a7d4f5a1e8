import { randomOf } from './random.js';

/** The topics of a soak, each with what it is there to try. */
export const topicNames = ['work', 'later', 'ordered', 'order', 'invoice'] as const;
export type TopicName = (typeof topicNames)[number];

export const groupsOf: Readonly<Record<TopicName, readonly string[]>> = {
  /** Unordered: acks, failures, postpones, poison; two groups. */
  work: ['default', 'audit'],
  /** Published with delays. */
  later: ['default'],
  /** In order over 1 000 keys; two groups. */
  ordered: ['default', 'audit'],
  /** Each leaves an invoice with its ack, through the outbox. */
  order: ['default'],
  /** What `order` leaves, some of it with a delay. */
  invoice: ['default'],
};

const keyCount = 1_000;

/** One message that the publisher sends, or that an outbox does. */
export interface Planned {
  readonly n: number;
  readonly topic: TopicName;
  readonly key: string | null;
  readonly delayMs: number;
}

/** What a group does with a message at its first sight of it. */
export type Fate =
  | { readonly verb: 'ack' }
  | { readonly verb: 'nack' | 'postpone'; readonly delayMs: number }
  | { readonly verb: 'reject' };

/** What messages there are: of each kind, or half of them delayed and the rest plain. */
export const mixes = ['everything', 'half-delayed'] as const;
export type Mix = (typeof mixes)[number];

/** All that decides what each message is and what becomes of it. */
export interface Plan {
  readonly seed: number;
  /** How many the publisher sends. */
  readonly messages: number;
  readonly mix: Mix;
}

/** Message `n` of a soak; numbers from `messages` on are the invoices that outboxes leave. Pure. */
export function planOf({ seed, messages, mix }: Plan, n: number): Planned {
  if (n >= messages) return { n, topic: 'invoice', key: null, delayMs: delayOf(seed, n, 0.3) };
  const lot = randomOf(seed, n, 'topic');
  if (mix === 'half-delayed') {
    return lot < 0.5
      ? { n, topic: 'work', key: null, delayMs: 0 }
      : { n, topic: 'later', key: null, delayMs: delayOf(seed, n, 1) };
  }
  if (lot < 0.4) return { n, topic: 'work', key: null, delayMs: 0 };
  if (lot < 0.6) return { n, topic: 'later', key: null, delayMs: delayOf(seed, n, 1) };
  if (lot < 0.9) {
    const key = `key-${Math.floor(randomOf(seed, n, 'key') * keyCount)}`;
    return { n, topic: 'ordered', key, delayMs: 0 };
  }
  return { n, topic: 'order', key: null, delayMs: 0 };
}

/** The invoice of order `n`. */
export const invoiceOf = (messages: number, n: number): number => n + messages;

/** Pure, so that every process that meets the message agrees on it. */
export function fateOf(seed: number, n: number, group: string): Fate {
  const lot = randomOf(seed, n, group, 'fate');
  const delayMs = 50 + Math.floor(randomOf(seed, n, group, 'return') * 2_000);
  if (lot < 0.05) return { verb: 'nack', delayMs };
  if (lot < 0.1) return { verb: 'postpone', delayMs };
  if (lot < 0.11) return { verb: 'reject' };
  return { verb: 'ack' };
}

/** Half of the delays are 2 s, the other half anything from 50 ms to 10 s. */
function delayOf(seed: number, n: number, share: number): number {
  if (randomOf(seed, n, 'delayed') >= share) return 0;
  const lot = randomOf(seed, n, 'delay');
  return lot < 0.5 ? 2_000 : 50 + Math.floor((lot - 0.5) * 2 * 9_950);
}
