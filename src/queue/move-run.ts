import { createHash, randomUUID } from 'node:crypto';
import { backoff } from './backoff.js';
import { callBackoff } from './call-queue.js';
import { type Clock, sleep } from './clock.js';
import {
  type DrainedLetter,
  type Driver,
  freshCounts,
  type Identified,
  type Send,
  type StoredMessage,
  type Target,
  type TopicTopology,
  type Waiting,
} from './driver.js';
import { QueueError } from './errors.js';
import { classifyWith, wrapError } from './failure.js';
import { laneOf } from './lane.js';
import { idOf } from './message.js';
import { asked } from './move-look.js';

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

/** How often a batch is sent before the move gives up; it can be run again. */
const sendTries = 6;

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
  readonly #moved = new Map<string, { -readonly [field in keyof MovedGroup]: MovedGroup[field] }>();

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

  #of(topic: string, group: string): { -readonly [field in keyof MovedGroup]: MovedGroup[field] } {
    const name = JSON.stringify([topic, group]);
    const of = this.#moved.get(name) ?? { topic, group, messages: 0, deadLetters: 0 };
    this.#moved.set(name, of);
    return of;
  }

  async #messages(topic: TopicTopology, group: string, of: { messages: number }): Promise<void> {
    const keep = (waiting: readonly Waiting[]): Promise<void> =>
      this.#store(
        waiting.map((one) => {
          const { counts, delayMs } = one;
          return this.#entry(topic, one, { target: { kind: 'group', group }, counts, delayMs });
        }),
      );
    const operation = `take messages of group "${group}" of "${topic.name}"`;
    const drain = async () => this.#from.admin.drain?.(topic.name, group, this.#batch, keep);
    await this.#untilEmpty(operation, drain, (taken) => {
      of.messages += taken;
    });
  }

  async #letters(topic: TopicTopology, group: string, of: { deadLetters: number }): Promise<void> {
    const keep = (letters: readonly DrainedLetter[]): Promise<void> =>
      this.#store(
        letters.map((letter) => {
          const { death, expiresInMs: expireAfterMs = null } = letter;
          const target = { kind: 'dead', group, death, expireAfterMs } as const;
          return this.#entry(topic, letter, { target, counts: freshCounts, delayMs: 0 });
        }),
      );
    const operation = `move the dead letters of group "${group}" of "${topic.name}"`;
    const drain = async () => this.#from.admin.drainLetters?.(topic.name, group, this.#batch, keep);
    await this.#untilEmpty(operation, drain, (taken) => {
      of.deadLetters += taken;
    });
  }

  /** Batch after batch, until one finds nothing. */
  async #untilEmpty(
    operation: string,
    drain: () => Promise<number | undefined>,
    onTaken: (taken: number) => void,
  ): Promise<void> {
    for (;;) {
      checkWanted(this.#signal);
      const taken = await asked(operation, this.#from, drain);
      if (!taken) return;
      onTaken(taken);
      this.#onBatch();
    }
  }

  get #batch(): number {
    return Math.min(batchMessages, this.#to.capabilities.limits.batch);
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

  /** In order. What failed and may succeed is sent again; a refusal ends the move, with nothing removed from the source. */
  async #store(sends: readonly Send[]): Promise<void> {
    const operation = 'store what is moved';
    for (let left = sends, tries = 1; left.length > 0; tries++) {
      const batch = left.slice(0, this.#to.capabilities.limits.batch);
      const rest = left.slice(batch.length);
      let failed: Send[] = [];
      let why: unknown = null;
      try {
        const results = await this.#to.send(batch);
        for (const [index, result] of results.entries()) {
          if (result.status !== 'failed') continue;
          failed.push(batch[index] as Send);
          why ??= result.error;
        }
      } catch (error) {
        failed = [...batch];
        why = error;
      }
      if (failed.length > 0) {
        if (tries >= sendTries || !classifyWith(this.#to)(why).retryable) throw wrapError(operation, this.#to, why);
        checkWanted(this.#signal);
        await sleep(this.#clock, backoff(tries, callBackoff, Math.random()), this.#signal);
      } else {
        tries = 0;
      }
      left = [...failed, ...rest];
    }
  }
}

/** One message of one group, or one letter. With its content, in case numbers come again where two backends are moved to one. */
function fingerprint(identity: string, message: StoredMessage, target: Target): string {
  const { id, topic, key, routingKey, headers, publishedAt, format, body } = message;
  const group = target.kind === 'topic' ? null : [target.kind, target.group];
  const hash = createHash('sha256');
  const sorted = Object.entries(headers).sort(([one], [other]) => (one < other ? -1 : 1));
  hash.update(JSON.stringify([identity, group, id, topic, key, routingKey, sorted, publishedAt, format]));
  return hash.update(body).digest('hex');
}
