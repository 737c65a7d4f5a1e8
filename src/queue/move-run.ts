import { randomUUID } from 'node:crypto';
import { backoff } from './backoff.js';
import { callBackoff } from './call-queue.js';
import { type Clock, sleep } from './clock.js';
import { deathOf } from './dead-letter.js';
import {
  type Classification,
  type DrainedLetter,
  type Driver,
  freshCounts,
  type Identified,
  Refusal,
  type Send,
  type StoredMessage,
  type TopicTopology,
  type Waiting,
} from './driver.js';
import { QueueError } from './errors.js';
import { classifyWith, wrapError } from './failure.js';
import { laneOf } from './lane.js';
import { idOf } from './message.js';
import { asked, groupName } from './move-look.js';
import { excessOf, fingerprint, Staying } from './move-staying.js';

/** What was moved from one group. */
export interface MovedGroup {
  readonly topic: string;
  readonly group: string;
  readonly messages: number;
  readonly deadLetters: number;
}

export interface MoveParts {
  readonly from: Driver;
  readonly to: Driver;
  readonly clock: Clock;
  /** Aborted: no further batch is taken. */
  readonly signal: AbortSignal;
  readonly onBatch: () => void;
}

/** How much is taken from a group at a time. */
const batchMessages = 500;

const storing = 'store what is moved';

/** How often a batch is sent before the move gives up; it can be run again. */
const sendTries = 6;

/** A backend answers so for the one message that it never takes; everything else concerns all of them. */
const refusals: ReadonlySet<Classification['code']> = new Set(['payload-too-large', 'invalid']);

/** Why a batch is given back to the source: there is nothing to take (0), or no more than so many of it are to be taken. */
class TakeFewer extends Error {
  constructor(readonly max: number) {
    super();
  }
}

type MutableGroup = { -readonly [field in keyof MovedGroup]: MovedGroup[field] };

/** Messages, or the letters, of one group. */
interface Source {
  readonly topic: TopicTopology;
  readonly group: string;
  readonly kind: 'group' | 'dead';
}

/** By it, what is put at the end is known. */
function nameOf({ topic, group, kind }: Source): string {
  return JSON.stringify([kind, topic.name, group]);
}

/** Throws `aborted`. */
export function checkWanted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new QueueError('cannot go on moving: the move was stopped; run it again, and it goes on where it ended', {
    code: 'aborted',
  });
}

/** One run of a move: what it has moved so far. Every batch is stored in the target before it is removed from the source. */
export class Move {
  readonly #from: Driver;
  readonly #to: Driver;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #onBatch: () => void;
  readonly #moved = new Map<string, MutableGroup>();
  readonly #staying = new Staying();

  constructor({ from, to, clock, signal, onBatch }: MoveParts) {
    this.#from = from;
    this.#to = to;
    this.#clock = clock;
    this.#signal = signal;
    this.#onBatch = onBatch;
  }

  get groups(): readonly MovedGroup[] {
    return [...this.#moved.values()].map((each) => ({ ...each }));
  }

  get staying(): Staying {
    return this.#staying;
  }

  /** Everything that is there now. Answers how much that was. */
  async round(topics: readonly TopicTopology[]): Promise<number> {
    let moved = 0;
    for (const topic of topics) {
      for (const { name } of topic.groups) {
        const of = this.#of(topic.name, name);
        const before = of.messages + of.deadLetters;
        await this.#messages(topic, name, of);
        await this.#letters(topic, name, of);
        moved += of.messages + of.deadLetters - before;
      }
    }
    return moved;
  }

  #of(topic: string, group: string): MutableGroup {
    const name = groupName(topic, group);
    const of = this.#moved.get(name) ?? { topic, group, messages: 0, deadLetters: 0 };
    this.#moved.set(name, of);
    return of;
  }

  async #messages(topic: TopicTopology, group: string, of: { messages: number }): Promise<void> {
    const source: Source = { topic, group, kind: 'group' };
    let moved = 0;
    const keep = async (waiting: readonly Waiting[]): Promise<void> => {
      moved = await this.#take(
        source,
        waiting.map((one) => this.#entry(topic, one, this.#standing(group, one))),
      );
    };
    const operation = `take messages of group "${group}" of "${topic.name}"`;
    await this.#untilEmpty(operation, source, async (max) => {
      const taken = await this.#from.admin.drain?.(topic.name, group, max, keep);
      if (taken) of.messages += moved;
      return taken;
    });
  }

  async #letters(topic: TopicTopology, group: string, of: { deadLetters: number }): Promise<void> {
    const source: Source = { topic, group, kind: 'dead' };
    let moved = 0;
    const keep = async (letters: readonly DrainedLetter[]): Promise<void> => {
      moved = await this.#take(
        source,
        letters.map((letter) => {
          const { death, expiresInMs: expireAfterMs = null } = letter;
          const target = { kind: 'dead', group, death, expireAfterMs } as const;
          return this.#entry(topic, letter, { target, counts: freshCounts, delayMs: 0 });
        }),
      );
    };
    const operation = `move the dead letters of group "${group}" of "${topic.name}"`;
    await this.#untilEmpty(operation, source, async (max) => {
      const taken = await this.#from.admin.drainLetters?.(topic.name, group, max, keep);
      if (taken) of.deadLetters += moved;
      return taken;
    });
  }

  /** Batch after batch, until one finds nothing, or nothing else than what stays. */
  async #untilEmpty(
    operation: string,
    source: Source,
    drain: (max: number) => Promise<number | undefined>,
  ): Promise<void> {
    for (let max: number | null = null; ; ) {
      checkWanted(this.#signal);
      // What stays may be in front: delayed messages are given by their time.
      const most: number = max ?? this.#batch + this.#staying.countOf(nameOf(source));
      const taken: number | TakeFewer | undefined = await asked(operation, this.#from, () => drain(most).catch(fewer));
      max = null;
      if (taken instanceof TakeFewer) max = taken.max;
      else if (taken) this.#onBatch();
      if (!taken || max === 0) return;
    }
  }

  get #batch(): number {
    return Math.min(batchMessages, this.#to.capabilities.limits.batch);
  }

  /** What cannot be read reaches no handler: it is stored as the dead letter that it would become. No topic says here how long that is kept. */
  #standing(group: string, { counts, delayMs, fault }: Waiting): Pick<Send, 'target' | 'counts' | 'delayMs'> {
    if (!fault) return { target: { kind: 'group', group }, counts, delayMs };
    const now = this.#clock.now();
    const death = deathOf({ ...counts, cause: 'undecodable', reason: fault, redeliveries: 0, now, origin: 'move' });
    return { target: { kind: 'dead', group, death, expireAfterMs: null }, counts: freshCounts, delayMs: 0 };
  }

  /** Without an identity it cannot be told from one that is just like it: it may be stored twice, and is never taken for the other. */
  #entry(
    topic: TopicTopology,
    { message, identity }: Identified & { readonly message: StoredMessage },
    what: Pick<Send, 'target' | 'counts' | 'delayMs'>,
  ): Send {
    const { dedup } = this.#to.capabilities;
    const nonce = `move ${identity === null ? randomUUID() : fingerprint(identity, message, what.target).slice(0, 40)}`;
    return {
      ...what,
      message,
      lane: laneOf(message.key ?? idOf(message), topic.lanes),
      nonce,
      unmatched: 'reject',
      dedup: dedup === null || identity === null ? null : { key: nonce, windowMs: dedup.windowMs },
    };
  }

  /** Stores a batch in the target. Answers how much that took. Rejects with `TakeFewer`. */
  #take(source: Source, sends: readonly Send[]): Promise<number> {
    const isLine = source.topic.ordering === 'key' && source.kind === 'group';
    return isLine ? this.#takeInOrder(source, sends) : this.#takeWhatGoes(source, sends);
  }

  /** What the target does not take is put at the end of its group in the source; all of the batch is removed from where it was then. */
  async #takeWhatGoes(source: Source, sends: readonly Send[]): Promise<number> {
    const again = this.#staying.again(nameOf(source), sends);
    if (again.size === sends.length) throw new TakeFewer(0);
    const stays = new Set(again);
    const wanted = (send: Send): boolean => {
      if (stays.has(send)) return false;
      const excess = excessOf(send, this.#to.name, this.#to.capabilities);
      if (excess === null) return true;
      this.#refuse(source, send, excess);
      stays.add(send);
      return false;
    };
    await this.#sendAll(this.#to, storing, sends, wanted, (send, error) => {
      const why = this.#refusalOf(error);
      if (why === null) return false;
      this.#refuse(source, send, why);
      stays.add(send);
      return true;
    });
    const back = sends.filter((send) => stays.has(send));
    if (back.length > 0) await this.#putBack(back);
    for (const send of back) {
      // One that cannot be read is put at the end of the dead letters.
      const kind = send.target.kind === 'dead' ? 'dead' : 'group';
      if (!again.has(send)) this.#staying.putAtTheEnd(nameOf({ ...source, kind }), send);
    }
    return sends.length - back.length;
  }

  /** A line ends before the first that the target does not take: whatever would overtake it might be of its key after a crash. */
  async #takeInOrder(source: Source, sends: readonly Send[]): Promise<number> {
    const places = new Map(sends.map((send, place) => [send, place]));
    const placeOf = (send: Send): number => places.get(send) ?? 0;
    let end = sends.length;
    let why: string | null = null;
    const endAt = (send: Send, reason: string): void => {
      if (placeOf(send) >= end) return;
      [end, why] = [placeOf(send), reason];
    };
    for (const send of sends) {
      const excess = excessOf(send, this.#to.name, this.#to.capabilities);
      if (excess !== null) endAt(send, excess);
    }
    if (end > 0 && end < sends.length) throw new TakeFewer(end);
    const wanted = (send: Send): boolean => placeOf(send) < end;
    await this.#sendAll(this.#to, storing, sends, wanted, (send, error) => {
      const reason = this.#refusalOf(error);
      if (reason !== null) endAt(send, reason);
      return reason !== null;
    });
    const first = sends[end];
    if (first === undefined) return sends.length;
    if (end === 0) {
      this.#refuse(source, first, why ?? '');
      this.#staying.stop(source.topic.name, source.group);
    }
    throw new TakeFewer(end);
  }

  #refuse({ topic, group }: Source, { message: { id }, target }: Send, why: string): void {
    this.#staying.refuse({ topic: topic.name, group, id, dead: target.kind === 'dead', why });
  }

  /** Null: it is no refusal of this one message. */
  #refusalOf(error: unknown): string | null {
    const { code, detail } = classifyWith(this.#to)(error);
    if (!refusals.has(code)) return null;
    return `${this.#to.name} refuses it: ${error instanceof Refusal ? error.message : (detail ?? code)}`;
  }

  /** The keys by which the source knows what a killed run has put back already are its own. */
  #putBack(sends: readonly Send[]): Promise<void> {
    const { dedup } = this.#from.capabilities;
    const back = sends.map((send): Send => {
      const nonce = `back ${send.nonce}`;
      return {
        ...send,
        nonce,
        dedup: dedup === null || send.dedup === null ? null : { key: nonce, windowMs: dedup.windowMs },
      };
    });
    return this.#sendAll(
      this.#from,
      'keep what the target does not take',
      back,
      () => true,
      () => false,
    );
  }

  /**
   * In order. What failed and may succeed is sent again; what `onRefused` answers true for is left out. Anything else ends the move,
   * with nothing removed from the source.
   */
  async #sendAll(
    driver: Driver,
    operation: string,
    sends: readonly Send[],
    wanted: (send: Send) => boolean,
    onRefused: (send: Send, error: unknown) => boolean,
  ): Promise<void> {
    const { batch: most } = driver.capabilities.limits;
    for (let left = sends.filter(wanted), tries = 1; left.length > 0; tries++, left = left.filter(wanted)) {
      const batch = left.slice(0, most);
      const { failed, isAnswered } = await sent(driver, batch);
      const again = failed.filter(({ send, error }) => !(isAnswered && onRefused(send, error)));
      left = [...again.map(({ send }) => send), ...left.slice(batch.length)];
      const hopeless = again.find(({ error }) => !classifyWith(driver)(error).retryable) ?? null;
      const last = tries >= sendTries ? (again[0] ?? null) : null;
      if (hopeless !== null || last !== null) throw wrapError(operation, driver, (hopeless ?? last)?.error);
      if (again.length === 0 || again.length < failed.length) {
        tries = 0;
        continue;
      }
      checkWanted(this.#signal);
      await sleep(this.#clock, backoff(tries, callBackoff, Math.random()), this.#signal);
    }
  }
}

interface Sent {
  readonly failed: readonly { readonly send: Send; readonly error: unknown }[];
  /** Whether each was answered for; else the error is that of the whole batch. */
  readonly isAnswered: boolean;
}

async function sent(driver: Driver, batch: readonly Send[]): Promise<Sent> {
  try {
    const results = await driver.send(batch);
    const failed = batch.flatMap((send, index) => {
      const result = results[index];
      return result?.status === 'failed' ? [{ send, error: result.error }] : [];
    });
    return { failed, isAnswered: true };
  } catch (error) {
    return { failed: batch.map((send) => ({ send, error })), isAnswered: false };
  }
}

function fewer(error: unknown): TakeFewer {
  if (error instanceof TakeFewer) return error;
  throw error;
}
