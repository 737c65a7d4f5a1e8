/** What can stand in one chain at a time. Written by `Chain` alone. */
export interface Linked<T> {
  isLinked: boolean;
  before: T | null;
  after: T | null;
}

/**
 * What is under way, oldest first, where every message comes and goes. Not a `Set`, which links its old tables to the new
 * ones as it grows and shrinks, so that dead ones keep young messages alive (docs/decisions/cost-of-the-portable-layer.md).
 */
export class Chain<T extends Linked<T>> implements Iterable<T> {
  #oldest: T | null = null;
  #newest: T | null = null;
  #size = 0;

  get oldest(): T | null {
    return this.#oldest;
  }

  get size(): number {
    return this.#size;
  }

  add(item: T): void {
    item.isLinked = true;
    item.before = this.#newest;
    if (this.#newest === null) this.#oldest = item;
    else this.#newest.after = item;
    this.#newest = item;
    this.#size++;
  }

  /** Before all others, where it was. */
  putBack(item: T): void {
    item.isLinked = true;
    item.after = this.#oldest;
    if (this.#oldest === null) this.#newest = item;
    else this.#oldest.before = item;
    this.#oldest = item;
    this.#size++;
  }

  /** Answers whether it was there. */
  remove(item: T): boolean {
    if (!item.isLinked) return false;
    const { before, after } = item;
    if (before === null) this.#oldest = after;
    else before.after = after;
    if (after === null) this.#newest = before;
    else after.before = before;
    item.isLinked = false;
    item.before = null;
    item.after = null;
    this.#size--;
    return true;
  }

  /** Takes all of them out. */
  removeAll(): readonly T[] {
    const all = [...this];
    for (const item of all) this.remove(item);
    return all;
  }

  *[Symbol.iterator](): Generator<T, void> {
    for (let item = this.#oldest; item !== null; item = item.after) yield item;
  }
}
