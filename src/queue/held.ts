/** What the order of starting depends on. `arrival` and `slot` are written by `Held` alone. */
export interface Holdable {
  readonly id: string;
  readonly key: string | null;
  readonly redeliveries: number;
  arrival: number;
  slot: number;
}

/**
 * Above this many hand-outs without an answer a message is suspected of killing its process (contract 16):
 * two restarts happen to everybody, a third is a pattern.
 */
const suspectAfterRedeliveries = 2;

/**
 * What a subscriber holds, and which of it may be started next. Decides only; whoever takes an entry must say
 * when it has ended.
 *
 * - On ordered topics, one of a key at a time, in arrival order.
 * - A suspect is started alone: after all that came with it or before it, and nothing is started until it has
 *   ended. If it kills the process, it takes nobody along who was not merely waiting.
 *
 * Arrays and not sets where every message passes: each time a set grows or shrinks, V8 chains its old table
 * to the new one, and a dead table in the old generation keeps young messages alive (measured: a third of all
 * that was allocated was promoted, and half of the time went to the collector).
 */
export class Held<Entry extends Holdable> {
  readonly #ordered: boolean;
  readonly #ready: Entry[] = [];
  readonly #suspects: Entry[] = [];
  /** In no order; each entry knows its slot. */
  readonly #started: Entry[] = [];
  /** Keys with an entry that is ready, suspect or started, and what waits behind it. */
  readonly #lines = new Map<string, Entry[]>();
  #waitingInLines = 0;
  #arrivals = 0;
  #alone: Entry | null = null;

  constructor(ordered: boolean) {
    this.#ordered = ordered;
  }

  get size(): number {
    return this.unstarted + this.#started.length;
  }

  get unstarted(): number {
    return this.#ready.length + this.#suspects.length + this.#waitingInLines;
  }

  get started(): number {
    return this.#started.length;
  }

  /** While one is held, asking the backend for more would only put more messages at risk. */
  get holdsSuspect(): boolean {
    return this.#suspects.length > 0 || this.#alone !== null;
  }

  /** The suspect that `take` would start now: who can, gives all others back first. Null while it would start something else, or nothing. */
  get nextAlone(): Entry | null {
    if (this.#alone !== null || this.#started.length > 0) return null;
    const suspect = this.#firstSuspect();
    return suspect === null || this.#readyBefore(suspect) >= 0 ? null : suspect;
  }

  /** Adds what was received together. */
  add(entries: readonly Entry[]): void {
    const arrival = ++this.#arrivals;
    for (const entry of entries) {
      entry.arrival = arrival;
      if (!this.#joinLine(entry)) this.#makeReady(entry);
    }
  }

  /** The next one to start, or null while there is none. */
  take(): Entry | null {
    if (this.#alone !== null) return null;
    const suspect = this.#firstSuspect();
    const entry = suspect === null ? this.#ready.shift() : this.#takeBeside(suspect);
    if (entry === undefined) return null;
    entry.slot = this.#started.push(entry) - 1;
    return entry;
  }

  /** A started one was settled, or lost; the next of its key may start. Anything else is ignored. */
  end(entry: Entry): void {
    if (this.#started[entry.slot] !== entry) return;
    const last = this.#started.pop() as Entry;
    if (last !== entry) {
      this.#started[entry.slot] = last;
      last.slot = entry.slot;
    }
    entry.slot = -1;
    if (this.#alone === entry) this.#alone = null;
    this.#advanceLine(entry);
  }

  /** Takes out one that was not started. Answers whether it was there. */
  remove(entry: Entry): boolean {
    if (takeOut(this.#ready, entry) || takeOut(this.#suspects, entry)) {
      this.#advanceLine(entry);
      return true;
    }
    const line = entry.key === null ? undefined : this.#lines.get(entry.key);
    if (line === undefined || !takeOut(line, entry)) return false;
    this.#waitingInLines--;
    return true;
  }

  /** Those of one key in their order. */
  allUnstarted(): readonly Entry[] {
    const lines = [...this.#lines.values()].flat();
    return [...this.#ready, ...this.#suspects, ...lines];
  }

  allStarted(): readonly Entry[] {
    return [...this.#started];
  }

  #firstSuspect(): Entry | null {
    if (this.#suspects.length === 0) return null;
    return this.#suspects.reduce((first, other) => (goesBefore(other, first) ? other : first));
  }

  /** Where the first stands that came with the suspect or before it. Not only at the front: what waited behind its key stands behind what came later. */
  #readyBefore(suspect: Entry): number {
    return this.#ready.findIndex(({ arrival }) => arrival <= suspect.arrival);
  }

  #takeBeside(suspect: Entry): Entry | undefined {
    const before = this.#readyBefore(suspect);
    if (before >= 0) return this.#ready.splice(before, 1)[0];
    if (this.#started.length > 0) return undefined;
    takeOut(this.#suspects, suspect);
    this.#alone = suspect;
    return suspect;
  }

  /** Whether the entry waits behind another of its key. */
  #joinLine(entry: Entry): boolean {
    if (!this.#ordered || entry.key === null) return false;
    const line = this.#lines.get(entry.key);
    if (line === undefined) {
      this.#lines.set(entry.key, []);
      return false;
    }
    line.push(entry);
    this.#waitingInLines++;
    return true;
  }

  #advanceLine(entry: Entry): void {
    if (!this.#ordered || entry.key === null) return;
    const next = this.#lines.get(entry.key)?.shift();
    if (next === undefined) {
      this.#lines.delete(entry.key);
    } else {
      this.#waitingInLines--;
      this.#makeReady(next);
    }
  }

  #makeReady(entry: Entry): void {
    (isSuspect(entry) ? this.#suspects : this.#ready).push(entry);
  }
}

export function isSuspect({ redeliveries }: Pick<Holdable, 'redeliveries'>): boolean {
  return redeliveries > suspectAfterRedeliveries;
}

/**
 * Which of two suspects goes first: by a hash of their ids, forwards and backwards in turn. So of any two, each
 * goes first in one of two rounds, and an innocent one gets past the killer by its second round at the latest.
 */
function goesBefore(one: Holdable, other: Holdable): boolean {
  const [place, otherPlace] = [placeOf(one), placeOf(other)];
  if (place !== otherPlace) return place < otherPlace;
  return one.id < other.id ? isForwards(one) : !isForwards(other);
}

function isForwards({ redeliveries }: Holdable): boolean {
  return redeliveries % 2 === 0;
}

function placeOf(suspect: Holdable): number {
  const { id } = suspect;
  let hash = 0;
  for (let i = 0; i < id.length; i++) hash = (Math.imul(hash, 31) + id.charCodeAt(i)) | 0;
  return isForwards(suspect) ? hash >>> 0 : 0xffffffff - (hash >>> 0);
}

function takeOut<T>(list: T[], item: T): boolean {
  const at = list.indexOf(item);
  if (at >= 0) list.splice(at, 1);
  return at >= 0;
}
