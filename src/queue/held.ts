/** What the order of starting depends on. `arrival` is written by `Held` alone. */
export interface Holdable {
  readonly id: string;
  readonly key: string | null;
  readonly redeliveries: number;
  arrival: number;
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
 */
export class Held<Entry extends Holdable> {
  readonly #ordered: boolean;
  readonly #ready = new Set<Entry>();
  readonly #suspects = new Set<Entry>();
  readonly #started = new Set<Entry>();
  /** Keys with an entry that is ready, suspect or started, and what waits behind it. */
  readonly #lines = new Map<string, Entry[]>();
  #waitingInLines = 0;
  #arrivals = 0;
  #alone: Entry | null = null;

  constructor(ordered: boolean) {
    this.#ordered = ordered;
  }

  get size(): number {
    return this.unstarted + this.#started.size;
  }

  get unstarted(): number {
    return this.#ready.size + this.#suspects.size + this.#waitingInLines;
  }

  /** While one is held, asking the backend for more would only put more messages at risk. */
  get holdsSuspect(): boolean {
    return this.#suspects.size > 0 || this.#alone !== null;
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
    const entry = this.#suspects.size === 0 ? first(this.#ready) : this.#takeBesideSuspects();
    if (entry === null) return null;
    this.#ready.delete(entry);
    this.#started.add(entry);
    return entry;
  }

  /** A started one was settled, or lost; the next of its key may start. Anything else is ignored. */
  end(entry: Entry): void {
    if (!this.#started.delete(entry)) return;
    if (this.#alone === entry) this.#alone = null;
    this.#advanceLine(entry);
  }

  /** Takes out one that was not started. Answers whether it was there. */
  remove(entry: Entry): boolean {
    if (this.#ready.delete(entry) || this.#suspects.delete(entry)) {
      this.#advanceLine(entry);
      return true;
    }
    const line = entry.key === null ? undefined : this.#lines.get(entry.key);
    const at = line?.indexOf(entry) ?? -1;
    if (at < 0) return false;
    line?.splice(at, 1);
    this.#waitingInLines--;
    return true;
  }

  /** In the order in which they would be started. */
  allUnstarted(): readonly Entry[] {
    const lines = [...this.#lines.values()].flat();
    return [...this.#ready, ...this.#suspects, ...lines];
  }

  allStarted(): readonly Entry[] {
    return [...this.#started];
  }

  #takeBesideSuspects(): Entry | null {
    const ready = first(this.#ready);
    let firstArrival = Number.POSITIVE_INFINITY;
    for (const suspect of this.#suspects) firstArrival = Math.min(firstArrival, suspect.arrival);
    if (ready !== null && ready.arrival <= firstArrival) return ready;
    if (this.#started.size > 0) return null;
    const suspect = leastBy(this.#suspects, turnOf);
    this.#suspects.delete(suspect);
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
    (entry.redeliveries > suspectAfterRedeliveries ? this.#suspects : this.#ready).add(entry);
  }
}

/**
 * Where a suspect stands among suspects: by a hash of its id, forwards and backwards in turn. So of any two,
 * each goes first in one of two rounds, and an innocent one gets past the killer by its second round at the latest.
 */
function turnOf({ id, redeliveries }: Holdable): number {
  let hash = 0;
  for (let i = 0; i < id.length; i++) hash = (Math.imul(hash, 31) + id.charCodeAt(i)) | 0;
  const place = hash >>> 0;
  return redeliveries % 2 === 0 ? place : 0xffffffff - place;
}

function first<T>(set: ReadonlySet<T>): T | null {
  for (const entry of set) return entry;
  return null;
}

function leastBy<T>(entries: Iterable<T>, measure: (entry: T) => number): T {
  let least: { entry: T; measured: number } | null = null;
  for (const entry of entries) {
    const measured = measure(entry);
    if (least === null || measured < least.measured) least = { entry, measured };
  }
  if (least === null) throw new RangeError('there is no least of nothing');
  return least.entry;
}
