/** Where a message stands in its group: the column `state`. */
export const state = {
  /** Due, and served by its place; or, in a range that somebody has claimed, in hand: see `range-claims.ts`. */
  ready: 0,
  /** Outside the line until `due_at`, and then until it is promoted. */
  delayed: 1,
  /** Somebody holds it until `lease_ends_at`. */
  inHand: 2,
  /**
   * Due, but a message of its key is in hand. Put here by the claim that met it, so that the next claim does
   * not meet it again: a slow key with a long line costs nobody a look. Of the messages of a key that wait, the first is
   * `ready` whenever none is in hand.
   */
  behind: 3,
  /** Was in hand and is due again, at a place that its group's frontier has passed. */
  returned: 4,
} as const;
