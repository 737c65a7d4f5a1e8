import type { Backlog } from './backlog.js';
import { byPlace, type Copy } from './copy.js';
import { Fifo } from './fifo.js';
import { Heap } from './heap.js';

/**
 * All readers take from one line. What comes back needs no search for its place: everything that was ever
 * taken stood before everything that still waits in `#fresh`.
 */
export class UnorderedBacklog implements Backlog {
  readonly #fresh = new Fifo<Copy>();
  readonly #returned = new Heap<Copy>(byPlace);

  get size(): number {
    return this.#returned.size + this.#fresh.size;
  }

  /** Places are given out in the order of becoming due: the first has waited longest. */
  oldestDueAt(): number | null {
    return (this.#returned.peek() ?? this.#fresh.peek())?.dueAt ?? null;
  }

  add(copy: Copy): void {
    this.#fresh.push(copy);
  }

  take(): Copy | undefined {
    return this.#returned.pop() ?? this.#fresh.shift();
  }

  putBack(copy: Copy): void {
    this.#returned.push(copy);
  }

  letGo(): void {}

  share(): void {}
}
