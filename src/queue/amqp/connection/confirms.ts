/**
 * What was published on one channel and awaits its confirm, by delivery tag: the broker counts what a channel publishes, from 1, and
 * confirms one tag, or all up to one.
 */
export class Confirms<T> {
  /** From `#lowest` on; null: confirmed. The first `#gone` are so. */
  #items: (T | null)[] = [];
  #lowest = 1;
  #gone = 0;

  add(item: T): void {
    this.#items.push(item);
  }

  /** Calls `confirmed` for each that this confirm is the first for. */
  take(tag: number, multiple: boolean, confirmed: (item: T) => void): void {
    const items = this.#items;
    const last = Math.min(tag - this.#lowest, items.length - 1);
    if (last < this.#gone) return;
    for (let index = multiple ? this.#gone : last; index <= last; index++) {
      const item = items[index];
      items[index] = null;
      if (item != null) confirmed(item);
    }
    while (this.#gone < items.length && items[this.#gone] === null) this.#gone++;
    this.#forgetGone();
  }

  /** Not each time: moving the rest costs as much as there is of it. */
  #forgetGone(): void {
    if (this.#gone < this.#items.length && this.#gone < 1_024) return;
    this.#items = this.#items.slice(this.#gone);
    this.#lowest += this.#gone;
    this.#gone = 0;
  }
}
