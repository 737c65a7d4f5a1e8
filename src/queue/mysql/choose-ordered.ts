/** A row that waits, as the choice sees it. `key` is its key's hash; null: a message without a key waits for none. */
export interface Candidate {
  readonly id: number;
  readonly key: number | null;
  /** When it became due, or joined the line. */
  readonly atMs: number;
}

/**
 * Chooses what to hand out of an ordered group: the line in its order, and what is due (delays, retries) between
 * what joined the line before and after it became so; of each key one, and none of a key that somebody has in hand. Adds the
 * keys that it chose to `busy`. Pure.
 *
 * Walks on from where it was: rows of the line are given piece by piece while more are needed. What is due waits
 * until the line has been walked up to its time, or to the line's end.
 */
export class OrderedChoice {
  readonly chosen: number[] = [];
  readonly #busy: Set<number>;
  readonly #due: readonly Candidate[];
  readonly #most: number;
  #nextDue = 0;

  constructor(busy: Iterable<number>, due: readonly Candidate[], most: number) {
    this.#busy = new Set(busy);
    this.#due = due;
    this.#most = most;
  }

  /** Keys of which no other message can be chosen. */
  get busy(): Iterable<number> {
    return this.#busy;
  }

  get full(): boolean {
    return this.chosen.length >= this.#most;
  }

  /** Whether something due still looks for its place: then the line's times matter. */
  get waitsForTimes(): boolean {
    return this.#nextDue < this.#due.length;
  }

  /** The next piece of the line. */
  walk(line: readonly Candidate[]): void {
    for (const row of line) {
      this.#takeDueBefore(row.atMs);
      if (this.full) return;
      this.#take(row);
    }
  }

  /** The line has no more rows: what is due comes after all of them. */
  end(): void {
    this.#takeDueBefore(Number.POSITIVE_INFINITY);
  }

  #takeDueBefore(atMs: number): void {
    for (; this.#nextDue < this.#due.length && !this.full; this.#nextDue++) {
      const row = this.#due[this.#nextDue] as Candidate;
      if (row.atMs >= atMs) return;
      this.#take(row);
    }
  }

  #take({ id, key }: Candidate): void {
    if (key !== null) {
      if (this.#busy.has(key)) return;
      this.#busy.add(key);
    }
    this.chosen.push(id);
  }
}
