/** What a reader knows of a lane that it consumes. */
export interface LaneState {
  /** Whether it is this reader's: the broker pushes a lane to one reader at a time. */
  readonly isOurs: boolean;
  readonly inHand: number;
  /** Of what was pushed and not taken, the highest number of hand-outs without an answer. */
  readonly mostRedeliveries: number;
}

/**
 * A hand-over counts what was pushed and not taken once more. What was counted more often than this stays, or passing a lane
 * on again and again would make suspects of messages that nobody ever started.
 */
const mostRedeliveries = 1;

/**
 * Which lanes a reader lets go, so that none of `readers` has more than its share: those with the least in hand. Pure.
 * Nobody knows who has how many: who is next in a lane's line gets it, and lets it go in turn if that is too many.
 */
export function lanesToHandOver(lanes: readonly LaneState[], readers: number): readonly number[] {
  const share = Math.ceil(lanes.length / Math.max(1, readers));
  const ours = [...lanes.entries()].filter(([, lane]) => lane.isOurs);
  return ours
    .filter(([, lane]) => lane.mostRedeliveries <= mostRedeliveries)
    .sort(([, one], [, other]) => one.inHand - other.inHand)
    .slice(0, Math.max(0, ours.length - share))
    .map(([index]) => index);
}
