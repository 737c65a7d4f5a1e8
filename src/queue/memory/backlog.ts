import type { Copy } from './copy.js';
import type { Reader } from './reader.js';

/**
 * What is due and waits for a reader, in the order of service. Whoever calls gives each copy a place that
 * is higher than all before, so that what comes back finds its old one.
 */
export interface Backlog {
  /** How many wait, those included that nobody may take at present because their key is in hand. */
  readonly size: number;
  /** When the one that waits longest became due; null when none waits. May look at every line: for reports. */
  oldestDueAt(): number | null;
  /** Appends a copy whose place is the highest so far. */
  add(copy: Copy): void;
  /** Removes and answers the first that this reader may have now. */
  take(reader: Reader): Copy | undefined;
  /** A taken copy comes back unanswered, in its old place. */
  putBack(copy: Copy): void;
  /** A taken copy is done with, or left its place: whoever waited for it may go on. */
  letGo(copy: Copy): void;
  /** Who reads from now on, in the order of joining. */
  share(readers: readonly Reader[]): void;
}
