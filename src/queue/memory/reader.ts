import type { Copy } from './copy.js';
import type { Group } from './group.js';

/** One reader of a group, and what it has in hand. */
export class Reader {
  readonly holds = new Set<Hold>();

  constructor(readonly leaseMs: number) {}
}

/**
 * One hand-out, and at the same time its receipt: whoever shows it may settle while it is `live`. A hold
 * that ended, by whatever cause, never lives again; the next hand-out of the copy is another hold. That is
 * the whole fencing.
 */
export class Hold {
  live = true;

  constructor(
    readonly copy: Copy,
    readonly group: Group,
    readonly reader: Reader,
    public leaseEndsAt: number,
  ) {}
}
