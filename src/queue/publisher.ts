import { checkNotClosed, type QueueContext } from './context.js';
import type { Send } from './driver.js';
import { QueueError } from './errors.js';
import { kindOf, quoted } from './names.js';
import { checkOptions, type MessageOptions, prepare, publishOptionNames } from './outgoing.js';
import type { SendAnswer } from './sender.js';
import type { BodyInput, Topic } from './topic.js';

export interface PublishOptions extends MessageOptions {
  /** Gives up: before anything was sent, nothing happens; afterwards the error says `outcomeUnknown`. */
  readonly signal?: AbortSignal | undefined;
}

export interface Published {
  /** The message's id; of a duplicate, the id of the first one. */
  readonly id: string;
  /** How many groups got it; null where the backend cannot tell. */
  readonly groups: number | null;
  /** True when the idempotency key was used before within its window: nothing was stored. */
  readonly duplicate: boolean;
}

/** One message of a batch. */
export interface BatchEntry<Body> extends MessageOptions {
  readonly body: Body;
  /** Default 0: at once. */
  readonly delayMs?: number | undefined;
}

export type BatchResult =
  | ({ readonly status: 'published' } & Published)
  | { readonly status: 'failed'; readonly error: QueueError };

/**
 * Puts messages into topics. All verbs resolve when the message is durable for every group that it belongs
 * to, and reject with a `QueueError`: nothing was stored then, unless `outcomeUnknown` says otherwise. Any
 * number may be called at once; calls keep their order per key, also when one had to be repeated. What may
 * succeed later is repeated for 30 s.
 */
export interface Publisher {
  publish<T extends Topic>(topic: T, body: BodyInput<T>, options?: PublishOptions): Promise<Published>;
  /**
   * The same, and no subscriber sees it before `delayMs` have passed on the backend's time. Zero or negative
   * is at once; not finite, or over the backend's maximum, is `invalid`. A fresh message, attempt 1, also
   * from within the handler of a message with the same id.
   */
  publishAfter<T extends Topic>(
    topic: T,
    body: BodyInput<T>,
    delayMs: number,
    options?: PublishOptions,
  ): Promise<Published>;
  /** Many at once, in order; answers per entry what became of it, and rejects only for arguments that are no batch at all. */
  publishBatch<T extends Topic>(
    topic: T,
    entries: readonly BatchEntry<BodyInput<T>>[],
    options?: Pick<PublishOptions, 'signal'>,
  ): Promise<readonly BatchResult[]>;
}

/** Where a prepared message goes: to the sender, or into a caller's transaction. */
export type Transmit = (operation: string, send: Send, signal: AbortSignal | undefined) => Promise<SendAnswer>;

/** A message that left, in its place among the others; its answer comes later. */
interface Transmitted {
  readonly send: Send;
  readonly answer: Promise<SendAnswer>;
}

const noOptions: PublishOptions = {};
const batchOptionNames: ReadonlySet<string> = new Set(['signal']);

/** Checks and encodes, then transmits, keeping the order of calls also where schemas are asynchronous. */
export class MessagePublisher implements Publisher {
  readonly #context: QueueContext;
  readonly #transmit: Transmit;
  /** Set while the check of an earlier call is still under way: ends when the last of those who wait was transmitted. */
  #turn: Promise<void> | null = null;

  constructor(context: QueueContext, transmit: Transmit) {
    this.#context = context;
    this.#transmit = transmit;
  }

  publish<T extends Topic>(topic: T, body: BodyInput<T>, options: PublishOptions = noOptions): Promise<Published> {
    return this.#publish('publish', topic, body, 0, options);
  }

  publishAfter<T extends Topic>(
    topic: T,
    body: BodyInput<T>,
    delayMs: number,
    options: PublishOptions = noOptions,
  ): Promise<Published> {
    return this.#publish('publish', topic, body, delayMs, options);
  }

  async publishBatch<T extends Topic>(
    topic: T,
    entries: readonly BatchEntry<BodyInput<T>>[],
    options: Pick<PublishOptions, 'signal'> = noOptions,
  ): Promise<readonly BatchResult[]> {
    checkOptions('publish a batch', options, batchOptionNames);
    return Promise.all(
      checkEntries(entries).map(async (entry: unknown): Promise<BatchResult> => {
        try {
          const { body, delayMs = 0, ...rest } = checkEntry(entry);
          return {
            status: 'published',
            ...(await this.#publish('publish', topic, body, delayMs, { ...rest, signal: options.signal })),
          };
        } catch (error) {
          return { status: 'failed', error: asQueueError(error) };
        }
      }),
    );
  }

  async #publish(
    verb: string,
    topic: Topic,
    body: unknown,
    delayMs: number,
    options: PublishOptions,
  ): Promise<Published> {
    checkNotClosed(this.#context, `${verb} to ${quoted(topic?.name)}`);
    const prepared = prepare(this.#context, verb, topic, body, delayMs, options, publishOptionNames);
    const transmit = (send: Send): Transmitted => ({
      send,
      answer: this.#transmit(`publish to "${topic.name}"`, send, options.signal),
    });
    const direct = this.#turn === null && !(prepared instanceof Promise);
    const { send, answer } = direct ? transmit(prepared) : await this.#inTurn(prepared, transmit);
    return this.#published(send, await answer);
  }

  /** Transmits when all earlier calls were: also an unchecked message waits behind one that is still being checked. */
  async #inTurn(prepared: Send | Promise<Send>, transmit: (send: Send) => Transmitted): Promise<Transmitted> {
    const checked = Promise.resolve(prepared);
    checked.catch(() => {}); // heard of below, when its turn comes
    const transmitted = (this.#turn ?? Promise.resolve()).then(() => checked).then(transmit);
    const turn = transmitted.then(
      () => {},
      () => {},
    );
    this.#turn = turn;
    await turn;
    if (this.#turn === turn) this.#turn = null;
    return transmitted;
  }

  #published(send: Send, answer: SendAnswer): Published {
    const { id, topic } = send.message;
    const published: Published =
      answer.status === 'duplicate'
        ? { id: answer.id, groups: 0, duplicate: true }
        : { id: id as string, groups: answer.groups, duplicate: false };
    const { events } = this.#context;
    if (events.heard('published')) events.emit('published', { topic, delayMs: send.delayMs, ...published });
    return published;
  }
}

/** Throws `invalid` for what is no array. */
export function checkEntries(entries: unknown): readonly unknown[] {
  if (Array.isArray(entries)) return entries;
  throw new QueueError(`cannot publish a batch: the entries are ${kindOf(entries)}; give an array of { body, … }`, {
    code: 'invalid',
  });
}

/** Throws `invalid` for what has no body, or a signal of its own. */
export function checkEntry(entry: unknown): BatchEntry<unknown> {
  if (typeof entry === 'object' && entry !== null && 'signal' in entry) {
    throw new QueueError('cannot publish a batch: an entry has a signal of its own; give one for the whole batch', {
      code: 'invalid',
    });
  }
  if (typeof entry === 'object' && entry !== null && 'body' in entry) return entry as BatchEntry<unknown>;
  throw new QueueError(`cannot publish a batch: an entry is ${kindOf(entry)} without a body; give { body, … }`, {
    code: 'invalid',
  });
}

function asQueueError(error: unknown): QueueError {
  return error instanceof QueueError
    ? error
    : new QueueError('cannot publish: something happened that should not; report this', {
        code: 'internal',
        cause: error,
      });
}
