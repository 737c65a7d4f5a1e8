import { Refusal, type Send, type SendResult } from '../driver.js';
import { type KnownGroup, type KnownTopic, type Placement, place, type Topics } from './catalogue.js';

/** An entry that goes somewhere. */
export interface Placed {
  /** Its index in the batch. */
  readonly at: number;
  readonly send: Send;
  readonly placement: Exclude<Placement, { kind: 'refused' }>;
}

export interface Batch {
  /** Those that are answered already: refused, or known; the others are undefined. */
  readonly results: (SendResult | undefined)[];
  readonly placed: readonly Placed[];
}

/**
 * Decides for each entry where it goes. After one that is refused, later ones of its key are refused too, retryably, or they
 * would overtake its repetition. `known` answers for repeated sends. Pure.
 */
export function batchOf(sends: readonly Send[], topics: Topics, known: (send: Send) => SendResult | undefined): Batch {
  const results: (SendResult | undefined)[] = sends.map(() => undefined);
  const placed: Placed[] = [];
  const stopped = new StoppedKeys();
  for (const [at, send] of sends.entries()) {
    const answered = known(send);
    if (answered !== undefined) results[at] = answered;
    else if (stopped.has(send)) results[at] = overtaking(send);
    else {
      const placement = place(send, topics);
      if (placement.kind === 'refused') {
        results[at] = { status: 'failed', error: placement.error };
        stopped.add(send);
      } else placed.push({ at, send, placement });
    }
  }
  return { results, placed };
}

/** The keys of which an entry was not stored. */
export class StoppedKeys {
  readonly #stopped = new Set<string>();

  add({ message: { topic, key } }: Send): void {
    if (key !== null) this.#stopped.add(`${topic}\0${key}`);
  }

  has({ message: { topic, key } }: Send): boolean {
    return this.#stopped.size > 0 && key !== null && this.#stopped.has(`${topic}\0${key}`);
  }
}

export function overtaking({ message: { topic, key } }: Send): SendResult {
  const subject = `an earlier message of key "${key}" in this batch to topic "${topic}" was not stored`;
  return { status: 'failed', error: new Refusal('conflict', subject, 'send it again after that one') };
}

/** The topics by whose groups entries were placed. */
export function topicsOf(placed: readonly Placed[]): ReadonlyMap<number, KnownTopic> {
  const topics = new Map<number, KnownTopic>();
  for (const { placement } of placed) topics.set(placement.topic.id, placement.topic);
  return topics;
}

export function groupsOf({ placement }: Placed): readonly KnownGroup[] {
  return placement.kind === 'dead' ? [placement.group] : placement.groups;
}

export function storedAs({ placement }: Placed): SendResult {
  return { status: 'stored', groups: placement.kind === 'dead' ? 1 : placement.groups.length };
}
