import type { Backlog } from './backlog.js';
import type { Copy } from './copy.js';
import { Heap } from './heap.js';
import { shareLanes } from './lanes.js';
import { byFirstPlace, Line } from './line.js';
import type { Reader } from './reader.js';

/**
 * A line per key; the lines that may be served stand in their reader's heap, by the place of their first
 * copy. A busy line stands in no heap, so a slow key costs nobody a look, and a line that is empty and not
 * busy does not exist. Copies without a key have no order among themselves: each is a line of its own.
 *
 * A lane changes hands without waiting for its old reader: what that one still holds is a busy line.
 */
export class OrderedBacklog implements Backlog {
  readonly #lines = new Map<string, Line>();
  #owners: readonly (Reader | null)[];
  /** By lane; the lanes of one reader have the same heap. */
  #heaps: readonly Heap<Line>[] = [];
  #heapsByOwner = new Map<Reader | null, Heap<Line>>();
  #size = 0;

  constructor(lanes: number) {
    this.#owners = new Array<null>(lanes).fill(null);
    this.share([]);
  }

  get size(): number {
    return this.#size;
  }

  /** How many keys it remembers: those of which a copy waits or is in hand. */
  get keys(): number {
    return this.#lines.size;
  }

  oldestDueAt(): number | null {
    let oldest = Number.POSITIVE_INFINITY;
    const look = (line: Line): void => {
      oldest = Math.min(oldest, line.waiting.peek()?.dueAt ?? oldest);
    };
    for (const heap of this.#heapsByOwner.values()) for (const line of heap) look(line);
    for (const line of this.#lines.values()) if (line.busy) look(line);
    return oldest === Number.POSITIVE_INFINITY ? null : oldest;
  }

  add(copy: Copy): void {
    const line = this.#lineOf(copy);
    line.waiting.push(copy);
    this.#size++;
    if (!line.busy && line.waiting.size === 1) this.#offer(line);
  }

  take(reader: Reader): Copy | undefined {
    const line = this.#heapsByOwner.get(reader)?.pop();
    if (line === undefined) return undefined;
    line.busy = true;
    this.#size--;
    return line.waiting.shift();
  }

  putBack(copy: Copy): void {
    const line = this.#lineOf(copy);
    line.busy = false;
    line.waiting.unshift(copy);
    this.#size++;
    this.#offer(line);
  }

  letGo(copy: Copy): void {
    const { key } = copy.message;
    const line = key === null ? undefined : this.#lines.get(key);
    if (key === null || line === undefined) return;
    line.busy = false;
    if (line.waiting.size === 0) this.#lines.delete(key);
    else this.#offer(line);
  }

  share(readers: readonly Reader[]): void {
    const offered = [...this.#heapsByOwner.values()].flatMap((heap) => heap.drain());
    this.#owners = shareLanes(this.#owners, readers);
    this.#heapsByOwner = new Map([...readers, null].map((owner) => [owner, new Heap<Line>(byFirstPlace)]));
    this.#heaps = this.#owners.map((owner) => this.#heapsByOwner.get(owner) as Heap<Line>);
    for (const line of offered) this.#offer(line);
  }

  #offer(line: Line): void {
    (this.#heaps[line.lane] as Heap<Line>).push(line);
  }

  #lineOf(copy: Copy): Line {
    const { key } = copy.message;
    if (key === null) return new Line(copy.lane);
    let line = this.#lines.get(key);
    if (line === undefined) {
      line = new Line(copy.lane);
      this.#lines.set(key, line);
    }
    return line;
  }
}
