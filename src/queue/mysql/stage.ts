/**
 * Where a row stands; the second column of the index that serves. One more than where it waits is in somebody's hand, from
 * there: so taking back is `stage - 1` for both. What waits, what is held and what stands in a line are three ranges of the
 * index: each can be found, counted and freed without looking at the others.
 */
export const stage = {
  /** By `visible_after`: all rows of an unordered topic, and of an ordered one those that left the line or never stood in it. */
  waiting: 0,
  held: 1,
  /** By id, `visible_after` is 0: an order of insertion, that no step of a clock and no two rows in one millisecond can change. */
  line: 2,
  heldFromLine: 3,
} as const;
