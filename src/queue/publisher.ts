import { sleep } from './clock.js';
import { checkNotClosed, checkTopic, closedError, type QueueContext } from './context.js';
import type { Send } from './driver.js';
import { QueueError } from './errors.js';
import { kindOf, quotedTopic } from './names.js';
import { checkOptions, type MessageOptions, prepare, publishOptionNames } from './outgoing.js';
import { aborted, callDeadlineMs, type Reading, type SendAnswer } from './sender.js';
import { type BodyInput, isTopic, type Topic } from './topic.js';

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

/** Where a prepared message goes: to the sender, or into a caller's transaction. Resolves with what `read` makes of the answer. */
export type Transmit = <T>(
  operation: string,
  send: Send,
  signal: AbortSignal | undefined,
  read: Reading<T>,
) => Promise<T>;

/** A message that left, in its place among the others; its answer comes later. */
interface Transmitted {
  readonly published: Promise<Published>;
}

const noOptions: PublishOptions = {};
const batchOptionNames: ReadonlySet<string> = new Set(['signal']);

/** Checks and encodes, then transmits, keeping the order of calls also where schemas are asynchronous. */
export class MessagePublisher implements Publisher {
  readonly #context: QueueContext;
  readonly #transmit: Transmit;
  /** What has an order and is still being checked: ends when the last of that order was transmitted. */
  readonly #turns = new Map<string, Promise<unknown>>();
  #batches = 0;

  constructor(context: QueueContext, transmit: Transmit) {
    this.#context = context;
    this.#transmit = transmit;
  }

  publish<T extends Topic>(topic: T, body: BodyInput<T>, options: PublishOptions = noOptions): Promise<Published> {
    return this.#publish(topic, body, 0, options, orderOf(topic, options?.key));
  }

  publishAfter<T extends Topic>(
    topic: T,
    body: BodyInput<T>,
    delayMs: number,
    options: PublishOptions = noOptions,
  ): Promise<Published> {
    return this.#publish(topic, body, delayMs, options, orderOf(topic, options?.key));
  }

  async publishBatch<T extends Topic>(
    topic: T,
    entries: readonly BatchEntry<BodyInput<T>>[],
    options: Pick<PublishOptions, 'signal'> = noOptions,
  ): Promise<readonly BatchResult[]> {
    checkTopic(this.#context, `publish a batch to ${quotedTopic(topic)}`, topic);
    checkOptions('publish a batch', options, batchOptionNames);
    const batch = `batch ${++this.#batches}`;
    return Promise.all(
      // A copy without holes: each place of the batch has its result.
      [...checkEntries(entries)].map((entry: unknown): Promise<BatchResult> | BatchResult => {
        try {
          const { body, delayMs = 0, ...rest } = checkEntry(entry);
          const order = orderOf(topic, rest.key) ?? batch;
          const message = options.signal === undefined ? rest : { ...rest, signal: options.signal };
          return this.#publish(topic, body, delayMs, message, order).then(publishedAs, failedAs);
        } catch (error) {
          return failedAs(error);
        }
      }),
    );
  }

  /** Rejects for whatever is wrong. One promise for a message that can leave at once: each more is held until the backend has answered. */
  #publish(
    topic: Topic,
    body: unknown,
    delayMs: number,
    options: PublishOptions,
    order: string | null,
  ): Promise<Published> {
    const operation = publishTo(topic);
    let prepared: Send | Promise<Send>;
    try {
      checkNotClosed(this.#context, operation);
      prepared = prepare(this.#context, operation, topic, body, delayMs, options, publishOptionNames);
    } catch (error) {
      return Promise.reject(error);
    }
    const { signal } = options;
    if (!(prepared instanceof Promise) && (order === null || !this.#turns.has(order))) {
      return this.#transmit(operation, prepared, signal, this.#published);
    }
    return this.#inTurn(operation, prepared, order, signal).then(({ published }) => published);
  }

  /** Transmits once it was checked and all earlier ones of its order were transmitted, or have failed. */
  async #inTurn(
    operation: string,
    prepared: Send | Promise<Send>,
    order: string | null,
    signal: AbortSignal | undefined,
  ): Promise<Transmitted> {
    const before = order === null ? undefined : this.#turns.get(order);
    const ready = Promise.all([prepared, before]).then(([send]) => send);
    const transmitted = this.#inTime(operation, ready, signal).then((send) => ({
      published: this.#transmit(operation, send, signal, this.#published),
    }));
    if (order === null) return transmitted;
    const turn = Promise.allSettled([before, transmitted]);
    this.#turns.set(order, turn);
    await turn;
    if (this.#turns.get(order) === turn) this.#turns.delete(order);
    return transmitted;
  }

  /** A schema that takes its time is waited for as long as any call, unless its caller or the queue ends first. */
  async #inTime(operation: string, ready: Promise<Send>, signal: AbortSignal | undefined): Promise<Send> {
    const { clock, closed } = this.#context;
    const done = new AbortController();
    const over = AbortSignal.any(signal === undefined ? [closed, done.signal] : [closed, done.signal, signal]);
    const late = sleep(clock, callDeadlineMs, over).then(() => null);
    const send = await Promise.race([ready, late]).finally(() => done.abort());
    if (send !== null) return send;
    ready.catch(() => {}); // nobody waits for it any more
    if (signal?.aborted) throw aborted(operation, false);
    if (closed.aborted) throw closedError(operation);
    throw new QueueError(
      `cannot ${operation}: the topic's schema did not answer within ${callDeadlineMs} ms, nothing was sent; look at what the schema waits for`,
      { code: 'timeout', retryable: true },
    );
  }

  readonly #published = (send: Send, answer: SendAnswer): Published => {
    const { id, topic } = send.message;
    const published: Published =
      answer.status === 'duplicate'
        ? { id: answer.id, groups: 0, duplicate: true }
        : { id: id as string, groups: answer.groups, duplicate: false };
    const { events } = this.#context;
    if (events.heard('published')) events.emit('published', { topic, delayMs: send.delayMs, ...published });
    return published;
  };
}

/** How errors name the operation: kept, since every publish needs it in case it fails. */
function publishTo(topic: Topic): string {
  const known = named.get(topic);
  if (known !== undefined) return known;
  const operation = `publish to ${quotedTopic(topic)}`;
  if (isTopic(topic)) named.set(topic, operation);
  return operation;
}

const named = new WeakMap<Topic, string>();

/** Calls of one order keep it, whatever their checks take: one key of one topic. Without a key there is none. */
function orderOf(topic: Topic | undefined, key: unknown): string | null {
  return typeof key === 'string' ? `${topic?.name}\0${key}` : null;
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

function publishedAs({ id, groups, duplicate }: Published): BatchResult {
  return { status: 'published', id, groups, duplicate };
}

function failedAs(error: unknown): BatchResult {
  return { status: 'failed', error: asQueueError(error) };
}

function asQueueError(error: unknown): QueueError {
  return error instanceof QueueError
    ? error
    : new QueueError('cannot publish: something happened that should not; report this', {
        code: 'internal',
        cause: error,
      });
}
