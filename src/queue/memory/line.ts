import type { Copy } from './copy.js';
import { Fifo } from './fifo.js';

/**
 * What waits under one key of an ordered topic, by place. At most one copy of a line is in hand, and it was
 * the first: when it comes back it goes to the front.
 */
export class Line {
  readonly waiting = new Fifo<Copy>();
  /** A copy of this line is in hand: nobody gets another. */
  busy = false;

  constructor(readonly lane: number) {}
}

/** For lines in which something waits. */
export const byFirstPlace = (one: Line, other: Line): boolean => firstPlace(one) < firstPlace(other);

function firstPlace(line: Line): number {
  return (line.waiting.peek() as Copy).place;
}
