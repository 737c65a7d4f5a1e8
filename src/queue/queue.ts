import { setMaxListeners } from 'node:events';
import { hostname } from 'node:os';
import { z } from 'zod';
import { Admin } from './admin.js';
import { type Clock, systemClock } from './clock.js';
import { type Consumer, type Handler, HandlerConsumer } from './consumer.js';
import { checkOpen, checkTopic, type Phase, type QueueContext } from './context.js';
import type { Capabilities, DeclareReport, Driver, DriverEvent } from './driver.js';
import { QueueError } from './errors.js';
import { Events } from './events.js';
import { wrapError } from './failure.js';
import type { Health } from './health.js';
import { harmless, type Logger, silentLogger } from './logger.js';
import { kindOf, nameFault, quotedTopic } from './names.js';
import { hasFunctions, milliseconds, optionsObject, positiveInteger, readOptions } from './options.js';
import {
  type BatchEntry,
  type BatchResult,
  MessagePublisher,
  type Published,
  type Publisher,
  type PublishOptions,
} from './publisher.js';
import { Reader } from './reader.js';
import { lastAnswersMs, Sender, sendWithin } from './sender.js';
import { type CloseOptions, ReaderSubscription, type Subscription } from './subscription.js';
import { type BodyInput, type BodyOutput, isTopic, type Topic, topologyOf } from './topic.js';

export interface QueueOptions {
  /** All topics that this process publishes to or reads. */
  readonly topics: readonly Topic[];
  /** Default: says nothing. `pino()` fits. */
  readonly logger?: Logger;
  /** First part of every consumer's name, for logs and the backend's own tools. Default: host and process id. */
  readonly name?: string;
  /** Default: the driver's own (the memory driver brings its store's), else the machine's. */
  readonly clock?: Clock;
  /**
   * What `openQueue` does about the topology: declare what is missing (`assert`, the default), only look
   * whether all is there (`check`), or nothing (`none`: another process does).
   */
  readonly setup?: 'assert' | 'check' | 'none';
  /** Where jitter comes from, in [0, 1). Default: `Math.random`. */
  readonly random?: () => number;
}

export interface SetupOptions {
  /** `check` changes nothing and rejects with `not-found` where something is missing. Default: `assert`. */
  readonly mode?: 'assert' | 'check';
  /** Apply differences that lose no message instead of rejecting them with `topology-mismatch`. Default: false. */
  readonly change?: boolean;
}

export interface SubscribeOptions {
  /** Default: `default`. */
  readonly group?: string;
  /** The most messages held at once. Default 256, or 64 per lane on ordered topics. */
  readonly prefetch?: number;
  /** `manual`: leases end unless `delivery.extend` is called. Default: `automatic`. */
  readonly leaseExtension?: 'automatic' | 'manual';
  /** Last part of the consumer's name. Default: a number. */
  readonly name?: string;
}

export interface ConsumeOptions extends SubscribeOptions {
  /** How many handlers run at once, exactly. Default 16. */
  readonly concurrency?: number;
  /** A handler that takes longer has failed, milliseconds. Default: none. */
  readonly timeoutMs?: number;
}

/** The reading half of a queue. */
export interface Subscriber {
  /**
   * The deliveries of one group, to be settled one by one. Starts when it is iterated; what the backend
   * refuses (`not-found` for a group that does not exist) shows there. Throws `invalid` for bad options.
   */
  subscribe<T extends Topic>(topic: T, options?: SubscribeOptions): Subscription<BodyOutput<T>>;
  /**
   * Calls `handler` for each delivery, `concurrency` at once, and settles by what it does. Resolves once the
   * backend hands out to it; rejects where it refuses. Any number of consumers may run at once.
   */
  consume<T extends Topic>(topic: T, handler: Handler<BodyOutput<T>>, options?: ConsumeOptions): Promise<Consumer>;
}

const defaultConcurrency = 16;
const defaultPrefetch = 256;
const defaultPrefetchPerLane = 64;
const defaultCloseDeadlineMs = 30_000;

const clockSchema = z.custom<Clock>(
  (value) => hasFunctions(value, ['now', 'schedule']),
  'must be a Clock, with the functions now and schedule',
);
const namePart = z.custom<string>(
  (value) => nameFault(value) === null,
  'must be up to 100 bytes of plain text without * and #',
);

const queueOptionsSchema = optionsObject({
  topics: z.array(z.custom<Topic>(isTopic, 'must be a topic made by defineTopic'), 'must be an array of topics'),
  logger: z
    .custom<Logger>((value) => hasFunctions(value, ['info', 'warn']), 'must have info and warn, both functions')
    .default(silentLogger),
  name: namePart.optional(),
  clock: clockSchema.optional(),
  setup: z.enum(['assert', 'check', 'none'], 'must be "assert", "check" or "none"').default('assert'),
  random: z
    .custom<() => number>((value) => typeof value === 'function', 'must be a function')
    .default(() => Math.random),
});

const setupSchema = optionsObject({
  mode: z.enum(['assert', 'check'], 'must be "assert" or "check"').default('assert'),
  change: z.boolean('must be true or false').default(false),
});
const closeSchema = optionsObject({ deadlineMs: milliseconds.default(defaultCloseDeadlineMs) });

const subscribeShape = {
  group: namePart.default('default'),
  prefetch: positiveInteger.optional(),
  leaseExtension: z.enum(['automatic', 'manual'], 'must be "automatic" or "manual"').default('automatic'),
  name: namePart.optional(),
};
const subscribeSchema = optionsObject(subscribeShape);
const consumeSchema = optionsObject({
  ...subscribeShape,
  concurrency: positiveInteger.default(defaultConcurrency),
  timeoutMs: milliseconds.min(1, 'must be at least 1').optional(),
});

let opened = 0;

/**
 * Opens a driver and declares the topics. Rejects with `invalid` for bad options, and with what the backend
 * answers: `unavailable`, `auth`, `denied`, `topology-mismatch`. The driver is closed again then.
 */
export async function openDriver(driver: Driver, options: QueueOptions): Promise<Queue> {
  const read = readOptions('open a queue', queueOptionsSchema, options);
  const topics = indexTopics(read.topics);
  const logger = harmless(read.logger);
  const events = new Events(logger);
  const name = `${read.name ?? `${hostname()}.${process.pid}`}.${(opened++).toString(36)}${Math.random().toString(36).slice(2, 6)}`;
  let phase: Phase = 'open';
  const closed = new AbortController();
  setMaxListeners(0, closed.signal); // one per publish whose schema takes its time
  const context: QueueContext = {
    driver,
    clock: read.clock ?? driver.clock ?? systemClock,
    random: read.random,
    events,
    logger,
    topics,
    name,
    phase: () => phase,
    closed: closed.signal,
  };
  try {
    await driver.open({ logger, emit: (event) => passOn(context, event) });
  } catch (error) {
    await driver.close().catch(() => {});
    throw wrapError('open a queue', driver, error);
  }
  const queue = new Queue(context, (next) => {
    phase = next;
    if (next === 'closed') closed.abort();
  });
  try {
    checkTopics(context);
    if (read.setup !== 'none') await queue.setup({ mode: read.setup });
  } catch (error) {
    await queue.close({ deadlineMs: 0 });
    throw error;
  }
  return queue;
}

/** The door to all topics of one backend. Made by `openQueue`; `await using` closes it. */
export class Queue implements Publisher, Subscriber, AsyncDisposable {
  /** What happens, as it happens. */
  readonly events: Pick<Events, 'on'>;
  readonly admin: Admin;
  readonly #context: QueueContext;
  readonly #sender: Sender;
  readonly #publisher: MessagePublisher;
  readonly #readers = new Set<Reader>();
  readonly #enter: (phase: Phase) => void;
  #consumers = 0;
  #closed: Promise<void> | null = null;

  /** Use `openQueue`. */
  constructor(context: QueueContext, enter: (phase: Phase) => void) {
    this.#context = context;
    this.#enter = enter;
    this.#sender = new Sender(context);
    this.#publisher = new MessagePublisher(context, (operation, send, signal, read) =>
      this.#sender.send(operation, send, signal, read),
    );
    this.events = context.events;
    this.admin = new Admin(context);
  }

  /** What this backend can do, as numbers. */
  get capabilities(): Capabilities {
    return this.#context.driver.capabilities;
  }

  publish<T extends Topic>(topic: T, body: BodyInput<T>, options?: PublishOptions): Promise<Published> {
    return this.#publisher.publish(topic, body, options);
  }

  publishAfter<T extends Topic>(
    topic: T,
    body: BodyInput<T>,
    delayMs: number,
    options?: PublishOptions,
  ): Promise<Published> {
    return this.#publisher.publishAfter(topic, body, delayMs, options);
  }

  publishBatch<T extends Topic>(
    topic: T,
    entries: readonly BatchEntry<BodyInput<T>>[],
    options?: Pick<PublishOptions, 'signal'>,
  ): Promise<readonly BatchResult[]> {
    return this.#publisher.publishBatch(topic, entries, options);
  }

  /**
   * Publishes inside the caller's own transaction: visible on its commit, gone on its rollback, never
   * repeated. What a transaction is, the backend's driver says. `unsupported` where there are none.
   */
  within(transaction: unknown): Publisher {
    const { driver } = this.#context;
    if (!driver.capabilities.transactions) {
      throw new QueueError(
        `cannot publish within a transaction: ${driver.name} has none; publish from delivery.outbox, or use a SQL backend`,
        {
          code: 'unsupported',
          backend: driver.name,
        },
      );
    }
    // Handed on, an absent transaction would mean none: published at once, whatever becomes of the caller's.
    if (transaction === undefined || transaction === null) {
      throw new QueueError(
        `cannot publish within a transaction: it is ${kindOf(transaction)}; begin one and give it, or use queue.publish`,
        { code: 'invalid' },
      );
    }
    return new MessagePublisher(this.#context, (operation, send, signal, read) =>
      sendWithin(this.#context, operation, send, transaction, signal, read),
    );
  }

  subscribe<T extends Topic>(topic: T, options: SubscribeOptions = {}): Subscription<BodyOutput<T>> {
    const operation = `subscribe to ${quotedTopic(topic)}`;
    checkOpen(this.#context, operation);
    checkTopic(this.#context, operation, topic);
    const read = readOptions(operation, subscribeSchema, options);
    return new ReaderSubscription(
      (onReady) => this.#reader(topic, read, onReady),
      (reader, closeOptions) => this.#closeReader(reader, closeOptions),
    );
  }

  async consume<T extends Topic>(
    topic: T,
    handler: Handler<BodyOutput<T>>,
    options: ConsumeOptions = {},
  ): Promise<Consumer> {
    const operation = `consume ${quotedTopic(topic)}`;
    checkOpen(this.#context, operation);
    checkTopic(this.#context, operation, topic);
    if (typeof handler !== 'function')
      throw new QueueError(`cannot ${operation}: the handler is ${kindOf(handler)}; give a function`, {
        code: 'invalid',
      });
    const { concurrency, timeoutMs = null, ...read } = readOptions(operation, consumeSchema, options);
    let made: Reader | null = null;
    const consumer = new HandlerConsumer(
      (onReady) => {
        made = this.#reader(topic, read, onReady);
        return made;
      },
      handler,
      { concurrency, timeoutMs },
      (reader, closeOptions) => this.#closeReader(reader, closeOptions),
    );
    try {
      await consumer.open();
    } catch (error) {
      if (made !== null) this.#readers.delete(made);
      throw error;
    }
    return consumer;
  }

  /**
   * Declares all topics of this queue. May be called again and by many at once; writes only differences.
   * Rejects with `topology-mismatch` where what exists differs from what is asked.
   */
  async setup(options: SetupOptions = {}): Promise<DeclareReport> {
    const { driver, topics, logger } = this.#context;
    checkOpen(this.#context, 'set up the topology');
    const read = readOptions('set up the topology', setupSchema, options);
    try {
      const report = await driver.declare({ topics: [...topics.values()].map(topologyOf) }, read);
      logger.info(
        { backend: driver.name, mode: read.mode, topics: [...topics.keys()], ...report },
        'topology is set up',
      );
      return report;
    } catch (error) {
      throw wrapError('set up the topology', driver, error);
    }
  }

  /** The present state as data; asks nobody. */
  health(): Health {
    const { driver, phase } = this.#context;
    const { connected, blocked } = driver.health();
    const open = phase() === 'open';
    const readers = [...this.#readers];
    const well = blocked === null && readers.every(({ stranded, trouble }) => stranded === 0 && trouble === null);
    return {
      status: !open || !connected ? 'down' : well ? 'ok' : 'degraded',
      backend: driver.name,
      open,
      connected,
      blocked,
      consumers: readers.map(({ consumer, topic, group, size, groupPaused, stranded, trouble }) => ({
        consumer,
        topic: topic.name,
        group,
        held: size,
        paused: groupPaused,
        stranded,
        trouble,
      })),
    };
  }

  /**
   * Closes all consumers and subscriptions (see there), lets what was published leave, and disconnects.
   * Closing again, also at once from several places, is the same closing; the first call's deadline counts.
   *
   * Not to be awaited inside a handler or a loop over a subscription of this queue: it waits for them, so both would
   * wait until the deadline, and the message comes again. Call it there without `await`, or after they have ended.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    const { deadlineMs } = readOptions('close a queue', closeSchema, options);
    this.#closed ??= this.#close(deadlineMs);
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(deadlineMs: number): Promise<void> {
    const { driver, events, logger, clock } = this.#context;
    const deadlineAt = clock.now() + deadlineMs;
    this.#enter('draining');
    await Promise.all([...this.#readers].map((reader) => this.#closeReader(reader, { deadlineMs })));
    this.#enter('closed');
    // What is on its way gets a chance to be answered, also when the handlers took all the time.
    await this.#sender.close(Math.max(deadlineAt - clock.now(), lastAnswersMs));
    try {
      await driver.close();
    } catch (error) {
      logger.warn(
        { backend: driver.name, code: wrapError('close', driver, error).code },
        'the driver did not close cleanly',
      );
    }
    events.emit('closed', { backend: driver.name });
    events.removeAll();
  }

  #reader(topic: Topic, options: z.output<typeof subscribeSchema>, onReady: () => void): Reader {
    const { group, leaseExtension, name } = options;
    const prefetch =
      options.prefetch ?? (topic.ordering === 'key' ? defaultPrefetchPerLane * topic.lanes : defaultPrefetch);
    const consumer = `${this.#context.name}.${topic.name}.${group}.${name ?? ''}${name === undefined ? '' : '.'}${++this.#consumers}`;
    const reader = new Reader(this.#context, topic, { group, prefetch, consumer, leaseExtension, onReady });
    this.#readers.add(reader);
    return reader;
  }

  async #closeReader(reader: Reader, options: CloseOptions): Promise<void> {
    const { deadlineMs } = readOptions(`close consumer "${reader.consumer}"`, closeSchema, options);
    await reader.close(deadlineMs);
    this.#readers.delete(reader);
  }
}

function indexTopics(topics: readonly Topic[]): ReadonlyMap<string, Topic> {
  const index = new Map<string, Topic>();
  for (const topic of topics) {
    const same = index.get(topic.name);
    if (same !== undefined && same !== topic) {
      throw new QueueError(
        `cannot open a queue: two different topics are called "${topic.name}"; rename one, or define it once and import it`,
        { code: 'invalid' },
      );
    }
    index.set(topic.name, topic);
  }
  for (const { name, deadLetters } of topics) {
    if (deadLetters.notice === null || index.get(deadLetters.notice.name) === deadLetters.notice) continue;
    throw new QueueError(
      `cannot open a queue: topic "${name}" sends notices to "${deadLetters.notice.name}", which is not among the topics; add it`,
      { code: 'invalid' },
    );
  }
  return index;
}

/** What the topics ask for and this backend cannot do is an error now, not at the first message. */
function checkTopics({ driver, topics }: QueueContext): void {
  const { delay, limits, ordering } = driver.capabilities;
  for (const topic of topics.values()) {
    if (topic.lanes > ordering.lanes) {
      throw new QueueError(
        `cannot open a queue: topic "${topic.name}" has ${topic.lanes} lanes and ${driver.name} at most ${ordering.lanes}; declare fewer`,
        {
          code: 'unsupported',
          backend: driver.name,
        },
      );
    }
    const longestBackoffMs = topic.backoff.maxMs * (1 + topic.backoff.jitter);
    if (longestBackoffMs > delay.maxMs) {
      throw new QueueError(
        `cannot open a queue: topic "${topic.name}" has a backoff of up to ${longestBackoffMs} ms with its jitter and ${driver.name} can wait ${delay.maxMs}; lower backoff.maxMs`,
        { code: 'unsupported', backend: driver.name },
      );
    }
    for (const name of [topic.name, ...Object.keys(topic.groups)]) {
      if (Buffer.byteLength(name) <= limits.nameBytes) continue;
      throw new QueueError(
        `cannot open a queue: the name "${name}" is longer than the ${limits.nameBytes} bytes of ${driver.name}; shorten it`,
        {
          code: 'invalid',
          backend: driver.name,
        },
      );
    }
  }
}

function passOn({ events, logger, driver }: QueueContext, event: DriverEvent): void {
  const backend = driver.name;
  if (event.type === 'resubscribed') {
    const { topic, group, consumer } = event;
    logger.warn({ topic, group, consumer }, 'the backend had ended a subscription; it was made anew');
    events.emit('resubscribed', { topic, group, consumer, stranded: 0 });
    return;
  }
  if (event.type === 'blocked') {
    logger.warn({ backend, event: event.type }, `the backend takes no messages at present: ${event.reason}`);
  } else if (event.type === 'disconnected') logger.warn({ backend, event: event.type }, 'the backend is away');
  else if (event.type === 'unblocked') logger.info({ backend, event: event.type }, 'the backend takes messages again');
  else logger.info({ backend, event: event.type }, 'the connection changed');
  const { type, ...facts } = event;
  // Each driver event is the queue event of the same name, with the backend's name.
  events.emit(type, { backend, ...facts } as never);
}
