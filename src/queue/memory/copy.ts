import type { Counts, StoredMessage } from '../driver.js';

/** One group's copy of a message: exists only while the group still owes it. */
export interface Copy {
  /** Shared by the copies of all groups, so never given out: see `clone.ts`. */
  readonly message: StoredMessage;
  readonly lane: number;
  counts: Counts;
  /** Hand-outs without an answer since the last answer. */
  unanswered: number;
  /** Its place in the order of service, kept while it is in hand: what comes back goes to its old place. */
  place: number;
  /** Not to be handed out before this time. */
  dueAt: number;
  /** See `Identified`; made when it is drained. */
  identity?: string;
}

export const byPlace = (one: Copy, other: Copy): boolean => one.place < other.place;

export const byDueTime = (one: Copy, other: Copy): boolean =>
  one.dueAt < other.dueAt || (one.dueAt === other.dueAt && one.place < other.place);
