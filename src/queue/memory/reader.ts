import type { Copy } from './copy.js';
import type { Group } from './group.js';

/**
 * One reader of a group, and what it has in hand. An array with slots and not a Set: when a Set that every
 * message passes through grows or shrinks, its old table, dead but in the old generation, keeps young
 * messages alive (measured: half of the time went to the garbage collector).
 */
export class Reader {
  readonly #holds: Hold[] = [];

  constructor(
    readonly leaseMs: number,
    readonly tellPaused: (paused: boolean) => void,
  ) {}

  /** A copy, in no order: taking holds away while looking at it is fine. */
  get holds(): readonly Hold[] {
    return [...this.#holds];
  }

  add(hold: Hold): void {
    hold.slot = this.#holds.push(hold) - 1;
  }

  remove(hold: Hold): void {
    const last = this.#holds.pop();
    if (last === undefined || last === hold) return;
    this.#holds[hold.slot] = last;
    last.slot = hold.slot;
  }
}

/**
 * One hand-out, and at the same time its receipt: whoever shows it may settle while it is `live`. A hold
 * that ended, by whatever cause, never lives again; the next hand-out of the copy is another hold. That is
 * the whole fencing.
 */
export class Hold {
  live = true;
  /** Where its reader keeps it. */
  slot = -1;

  constructor(
    readonly copy: Copy,
    readonly group: Group,
    readonly reader: Reader,
    public leaseEndsAt: number,
  ) {}
}
