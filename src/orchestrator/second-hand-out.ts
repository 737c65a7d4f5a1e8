/** How often a delivery was handed out before, in the three ways that there are. */
export interface HandOutCounts {
  readonly attempt: number;
  readonly postpones: number;
  readonly redeliveries: number;
}

/**
 * Whether an earlier hand-out of the same message may have got as far as the store and then lost its outbox.
 * A first hand-out cannot have: its lower number means that another message took the step, and sent what
 * follows from it. This is the whole difference between a chain that survives a crash and one that doubles.
 */
export function mayBeSecondHandOut({ attempt, postpones, redeliveries }: HandOutCounts): boolean {
  return redeliveries > 0 || attempt > 1 || postpones > 0;
}
