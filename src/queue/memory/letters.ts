import { randomUUID } from 'node:crypto';
import {
  type Death,
  type DrainedLetter,
  type Letter,
  type LetterList,
  type LetterPage,
  Refusal,
  type StoredMessage,
} from '../driver.js';
import { cloneDeath, cloneMessage } from './clone.js';
import { Heap } from './heap.js';

/** A dead or lost letter as it is kept. */
export interface Buried {
  readonly message: StoredMessage;
  readonly lane: number;
  readonly topic: string;
  readonly group: string;
  readonly death: Death | null;
  readonly buriedAt: number;
  /** Infinity: never. */
  readonly expiresAt: number;
}

interface Entry {
  readonly letter: Buried;
  /** Rises; a page's cursor is the number of its last letter, so that what goes meanwhile shifts nothing. */
  readonly number: number;
  /** See `Identified`; made when it is drained. */
  identity?: string;
  gone: boolean;
}

/**
 * One box of letters, oldest first. Letters that expire do so when somebody looks or buries another one.
 * What is gone stays in its place, marked, until it is the greater part: removing one of a million must not
 * move the rest.
 */
export class Letters {
  #entries: Entry[] = [];
  #expiring = new Heap<Entry>((one, other) => one.letter.expiresAt < other.letter.expiresAt);
  #gone = 0;
  #lastNumber = 0;

  /** Letters come in the order of `buriedAt`. */
  bury(letter: Buried): void {
    this.#expire(letter.buriedAt);
    const entry: Entry = { letter, number: ++this.#lastNumber, gone: false };
    this.#entries.push(entry);
    if (Number.isFinite(letter.expiresAt)) this.#expiring.push(entry);
  }

  count(now: number): number {
    this.#expire(now);
    return this.#entries.length - this.#gone;
  }

  /** A page; a cursor that is none of ours is an `invalid` refusal. */
  list({ limit, cursor }: LetterPage, now: number): LetterList {
    const total = this.count(now);
    const page: Entry[] = [];
    let at = this.#indexAfter(cursor === null ? 0 : parseCursor(cursor));
    for (; at < this.#entries.length && page.length <= limit; at++) {
      const entry = this.#entries[at] as Entry;
      if (!entry.gone) page.push(entry);
    }
    const last = page.length > limit ? page[limit - 1] : undefined;
    return {
      letters: page.slice(0, limit).map(({ letter }) => toldLetter(letter, now)),
      next: last === undefined ? null : String(last.number),
      total,
    };
  }

  /** Removes and answers the letters with these message ids for which `may` holds, oldest first. */
  take(ids: readonly string[] | 'all', now: number, may: (letter: Buried) => boolean = () => true): readonly Buried[] {
    this.#expire(now);
    const wanted = ids === 'all' ? null : new Set<string | null>(ids);
    const taken = this.#entries.filter(
      ({ gone, letter }) => !gone && (wanted === null || wanted.has(letter.message.id)) && may(letter),
    );
    for (const entry of taken) this.#drop(entry);
    this.#sweep();
    return taken.map(({ letter }) => letter);
  }

  /** See `DriverAdmin.drainLetters`. Of dead letters alone. */
  async drain(max: number, now: number, keep: (letters: readonly DrainedLetter[]) => Promise<void>): Promise<number> {
    this.#expire(now);
    const drained: Entry[] = [];
    for (const entry of this.#entries) {
      if (drained.length === max) break;
      if (!entry.gone) drained.push(entry);
    }
    if (drained.length === 0) return 0;
    await keep(
      drained.map((entry) => {
        entry.identity ??= randomUUID();
        const { letter, identity } = entry;
        return { ...toldLetter(letter, now), death: cloneDeath(letter.death as Death), identity };
      }),
    );
    for (const entry of drained) this.#drop(entry);
    this.#sweep();
    return drained.length;
  }

  #expire(now: number): void {
    let next = this.#expiring.peek();
    if (next === undefined || next.letter.expiresAt > now) return;
    for (; next !== undefined && next.letter.expiresAt <= now; next = this.#expiring.peek()) {
      this.#expiring.pop();
      this.#drop(next);
    }
    this.#sweep();
  }

  #drop(entry: Entry): void {
    if (entry.gone) return;
    entry.gone = true;
    this.#gone++;
  }

  #sweep(): void {
    if (this.#gone * 2 <= this.#entries.length) return;
    const isThere = (entry: Entry): boolean => !entry.gone;
    this.#entries = this.#entries.filter(isThere);
    for (const entry of this.#expiring.drain().filter(isThere)) this.#expiring.push(entry);
    this.#gone = 0;
  }

  /** Binary search: numbers rise. */
  #indexAfter(number: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle] as Entry).number <= number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function toldLetter({ message, topic, group, death, buriedAt, expiresAt }: Buried, now: number): Letter {
  return {
    message: cloneMessage(message),
    topic,
    group,
    death: death === null ? null : cloneDeath(death),
    buriedAt,
    expiresInMs: Number.isFinite(expiresAt) ? expiresAt - now : null,
  };
}

function parseCursor(cursor: string): number {
  const number = Number(cursor);
  if (!Number.isSafeInteger(number)) {
    throw new Refusal(
      'invalid',
      `"${cursor}" is not a cursor of this list`,
      'use the "next" of the page before, or null',
    );
  }
  return number;
}
