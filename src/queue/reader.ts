import { setMaxListeners } from 'node:events';
import { backoff } from './backoff.js';
import { CallQueue, callBackoff, type Outcome } from './call-queue.js';
import { sleep } from './clock.js';
import { decodeBody, messageFormat } from './codec.js';
import type { QueueContext } from './context.js';
import { type DeathFacts, deathOf } from './dead-letter.js';
import { type HeldDelivery as Delivery, HeldDelivery, type Holder, type Verb } from './delivery.js';
import { type DriverSubscription, type Received, Refusal, type Settlement, type SettleResult } from './driver.js';
import { QueueError } from './errors.js';
import { classifyWith, wrapError, wrapFailure } from './failure.js';
import { buryingSends } from './funeral.js';
import { Held, isSuspect } from './held.js';
import { Keeper } from './keeper.js';
import { idOf, type Message } from './message.js';
import { callDeadlineMs, lastAnswersMs } from './sender.js';
import type { Topic } from './topic.js';

export interface ReaderOptions {
  readonly group: string;
  readonly prefetch: number;
  readonly consumer: string;
  readonly leaseExtension: 'automatic' | 'manual';
  /** Called when `take` may answer something, and when it never will again. */
  readonly onReady: () => void;
}

/** How long one `receive` waits for a first message. */
const receiveWaitMs = 30_000;

/** A message in a newer format is left alone this long, for somebody who can read it. */
const newerFormatDelayMs = 5_000;

type SettleAnswer = 'done' | 'lost';

/**
 * One reader of one group: asks the driver for as much as there is room for, holds it, hands it out in the
 * right order, keeps its leases, brings settlements back. `consume` and `subscribe` are two faces of it.
 */
export class Reader implements Holder {
  readonly context: QueueContext;
  readonly topic: Topic;
  readonly group: string;
  readonly consumer: string;
  readonly #options: ReaderOptions;
  readonly #held: Held<Delivery>;
  readonly #settles: CallQueue<Settlement, SettleAnswer>;
  readonly #stopping = new AbortController();
  readonly #ended = new AbortController();
  #subscription: DriverSubscription | null = null;
  #keeper: Keeper | null = null;
  #reading: Promise<void> | null = null;
  #opening: Promise<void> | null = null;
  #closing: Promise<void> | null = null;
  #wakeReading: (() => void) | null = null;
  /** Whoever takes has asked in vain, and takes what comes. */
  #hungry = false;
  /** What nobody started was given back: asking for more before somebody takes would only take it from the others again. */
  #overfed = false;
  /** A close gives back all that is left. A `receive` still pending then may be handed the same again: that goes back as well. */
  #handingOver = false;
  /** Whether the last that was received brought suspects. */
  #suspectsCome = false;
  #onEmpty: (() => void)[] = [];
  /** What the driver said is lost. It may say so before what it handed out was admitted: a promise takes a turn, a schema longer. */
  readonly #gone = new WeakSet<object>();
  /** What the library settles by itself: no handler sees it. */
  readonly #disposing = new Set<Delivery>();

  constructor(context: QueueContext, topic: Topic, options: ReaderOptions) {
    this.context = context;
    this.topic = topic;
    this.group = options.group;
    this.consumer = options.consumer;
    this.#options = options;
    setMaxListeners(0, this.#ended.signal); // one per handler that has a time limit
    this.#held = new Held(topic.ordering === 'key');
    const { driver, clock, random } = context;
    this.#settles = new CallQueue({
      clock,
      random,
      call: (batch) => this.#callSettle(batch),
      classify: classifyWith(driver),
      orderOf: () => null,
      maxBatch: driver.capabilities.limits.batch,
      maxConcurrent: 1,
      deadlineMs: callDeadlineMs,
    });
  }

  get size(): number {
    return this.#held.size + this.#disposing.size;
  }

  /** How long the backend keeps a delivery for its holder; null where the connection does. */
  get leaseMs(): number | null {
    return this.#subscription?.lease?.ms ?? null;
  }

  get stopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Aborted when a close is complete: what still waits on the clock for this reader ends then. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** Resolves once the backend hands out to this reader. Rejects when it refuses; may be called again, also at once. */
  open(): Promise<void> {
    this.#opening ??= this.#subscribe().then(() => {
      this.#reading = this.#read();
    });
    return this.#opening;
  }

  /** The next delivery to work on, or null while there is none. */
  take(): Delivery | null {
    if (this.stopping) return null;
    const delivery = this.#clearsTheWay() ? null : this.#held.take();
    this.#hungry = delivery === null;
    if (this.#held.unstarted === 0 || this.#overfed) {
      this.#overfed = false;
      this.#wakeReading?.();
    }
    if (delivery === null) return null;
    const { events } = this.context;
    if (events.heard('delivered')) {
      const { attempt, postpones, redeliveries } = delivery;
      events.emit('delivered', { ...this.#about(delivery), attempt, postpones, redeliveries });
    }
    return delivery;
  }

  /**
   * Before a suspect is started, everything else goes back and every answer has come, where giving back is not
   * counted: a suspect that kills the process is then counted alone, however many killers there are. Where it is
   * counted, the order in which `Held` starts suspects must do.
   */
  #clearsTheWay(): boolean {
    const suspect = this.context.driver.capabilities.countsGiveBack ? null : this.#held.nextAlone;
    if (suspect === null) return false;
    this.#giveBack(this.#held.allUnstarted().filter((delivery) => delivery !== suspect));
    return this.#settles.size > 0;
  }

  settle(delivery: Delivery, verb: Verb, settlement: Settlement): Promise<void> {
    return this.#callAndEnd(delivery, verb, settlement, () => {
      const { events } = this.context;
      if (events.heard('settled')) events.emit('settled', { ...this.#about(delivery), verb });
      if (verb === 'nack' && settlement.kind === 'release' && events.heard('retried')) {
        events.emit('retried', {
          ...this.#about(delivery),
          attempt: settlement.counts.attempt,
          delayMs: settlement.delayMs,
        });
      }
    });
  }

  async bury(delivery: Delivery, verb: Verb, cause: DeathFacts['cause'], reason: unknown): Promise<void> {
    const { attempt, postpones, redeliveries, received } = delivery;
    const { firstFailedAt } = received.counts;
    const now = this.context.clock.now();
    const death = deathOf({
      cause,
      reason,
      attempt,
      postpones,
      redeliveries,
      firstFailedAt,
      now,
      origin: this.consumer,
    });
    const { letter, notice } = buryingSends(this.context, this.topic, this.group, delivery.received, death);
    const { receipt } = received;
    const outbox = notice === null ? [letter] : [letter, notice];
    await this.#callAndEnd(delivery, verb, { kind: 'ack', receipt, outbox }).catch((error: unknown) => {
      if (notice === null || delivery.state !== 'held') throw error;
      // A notice is never an obstacle: its topic may be gone. The letter itself must not be lost for it.
      const code = error instanceof QueueError ? error.code : 'internal';
      this.context.logger.warn(
        { ...this.#about(delivery), code },
        'the notice of a dead letter was refused; burying without it',
      );
      delivery.beginSettling();
      return this.#callAndEnd(delivery, verb, { kind: 'ack', receipt, outbox: [letter] });
    });
    this.context.logger.warn({ ...this.#about(delivery), cause, attempt }, 'dead letter');
    const { events } = this.context;
    if (events.heard('settled')) events.emit('settled', { ...this.#about(delivery), verb });
    if (events.heard('dead-lettered'))
      events.emit('dead-lettered', { ...this.#about(delivery), cause, reason: death.reason });
  }

  async extend(delivery: Delivery, ms: number): Promise<void> {
    const lease = this.#subscription?.lease ?? null;
    const operation = `extend a delivery of "${this.topic.name}"`;
    if (lease === null || this.#keeper === null) {
      throw new QueueError(
        `cannot ${operation}: ${this.context.driver.name} has no leases; leave it out, the connection keeps the delivery`,
        {
          code: 'unsupported',
          backend: this.context.driver.name,
        },
      );
    }
    let kept: boolean;
    try {
      kept = await this.#keeper.extend(lease, delivery, ms);
    } catch (error) {
      throw wrapError(operation, this.context.driver, error);
    }
    if (kept) return;
    this.#lose(delivery);
    throw this.#leaseLost(operation);
  }

  /** Stops holding a delivery that cannot be settled: it comes again when its lease or connection ends. */
  letGo(delivery: Delivery): void {
    this.#lose(delivery);
  }

  /**
   * Starts nothing more, waits until what was started is settled, gives the rest back in order; at the
   * deadline aborts what is left, which comes again. Called again: the same closing.
   */
  close(deadlineMs: number): Promise<void> {
    this.#closing ??= this.#close(deadlineMs);
    return this.#closing;
  }

  async #close(deadlineMs: number): Promise<void> {
    const deadlineAt = this.context.clock.now() + deadlineMs;
    this.#stopping.abort();
    this.#wakeReading?.();
    this.#options.onReady();
    await this.#opening?.catch(() => {});
    // Unordered messages are free for others at once; ordered ones only when what runs before them is settled.
    this.#giveBackUnordered();
    await this.#emptied(deadlineMs);
    for (const delivery of this.#held.allStarted()) {
      delivery.lose(
        new QueueError(
          `the close of the subscription to "${this.topic.name}" reached its deadline; the message comes again`,
          { code: 'aborted' },
        ),
      );
      this.#drop(delivery);
    }
    this.#handingOver = true;
    this.#giveBack(this.#held.allUnstarted());
    await this.#settled(Math.max(deadlineAt - this.context.clock.now(), lastAnswersMs));
    this.#keeper?.stop();
    await this.#closeSubscription();
    await this.#reading;
    // Once more: a subscription that was just being renewed.
    await this.#closeSubscription();
    this.#settles.abandon('closed', undefined);
    this.#ended.abort();
  }

  async #closeSubscription(): Promise<void> {
    try {
      await this.#subscription?.close();
    } catch (error) {
      const { code } = wrapError('close a subscription', this.context.driver, error);
      this.context.logger.warn({ consumer: this.consumer, code }, 'closing a subscription failed');
    }
  }

  #giveBackUnordered(): void {
    if (this.topic.ordering === 'none') this.#giveBack(this.#held.allUnstarted());
  }

  /** Until nothing started is left and its settlements are stored. */
  async #emptied(deadlineMs: number): Promise<void> {
    if (deadlineMs === 0 || (this.#held.started === 0 && this.#settles.size === 0)) return;
    const deadline = new AbortController();
    const empty = new Promise<void>((resolve) => this.#onEmpty.push(resolve));
    await Promise.race([empty, sleep(this.context.clock, deadlineMs, deadline.signal)]);
    deadline.abort();
  }

  /** Until what is on its way to the backend was answered. */
  async #settled(withinMs: number): Promise<void> {
    const deadline = new AbortController();
    await Promise.race([this.#settles.idle(), sleep(this.context.clock, withinMs, deadline.signal)]);
    deadline.abort();
  }

  async #subscribe(): Promise<void> {
    const { driver, clock } = this.context;
    const { group, prefetch, consumer } = this.#options;
    const operation = `subscribe to "${this.topic.name}" as group "${group}"`;
    const deadlineAt = clock.now() + callDeadlineMs;
    for (let tries = 1; ; tries++) {
      try {
        this.#subscription = await driver.subscribe({
          topic: this.topic.name,
          group,
          prefetch,
          consumer,
          onLost: (receipts) => this.#lostByDriver(receipts),
        });
        break;
      } catch (error) {
        const wrapped = wrapError(operation, driver, error);
        if (!wrapped.retryable || this.stopping || clock.now() >= deadlineAt) throw wrapped;
        await sleep(clock, backoff(tries, callBackoff, this.context.random()), this.#stopping.signal);
      }
    }
    this.#keeper?.stop();
    this.#keeper = new Keeper({
      clock,
      lease: this.#subscription.lease,
      automatic: this.#options.leaseExtension === 'automatic',
      maxBatch: driver.capabilities.limits.batch,
      held: () => this.#all(),
      unstarted: () => this.#held.allUnstarted(),
      onLost: (delivery) => this.#lose(delivery),
      onStale: (deliveries) => {
        this.#overfed = !this.#hungry;
        this.#giveBack(deliveries);
      },
      onExtensionFailed: (error) =>
        this.context.logger.warn(
          { consumer, code: wrapError('extend leases', driver, error).code },
          'leases could not be extended; trying again',
        ),
    });
    this.context.logger.info({ consumer, topic: this.topic.name, group, prefetch }, 'subscribed');
  }

  async #read(): Promise<void> {
    let failures = 0;
    while (!this.stopping) {
      const room = this.#room();
      if (room === 0) {
        await this.#roomMade();
        continue;
      }
      try {
        const received = await (this.#subscription as DriverSubscription).receive(room, receiveWaitMs);
        failures = 0;
        if (received.length > 0) await this.#admit(received);
      } catch (error) {
        if (this.stopping) break;
        failures++;
        await this.#recover(error, failures);
      }
    }
  }

  /**
   * How many to ask for. While there is something to start there is no hurry, and asking in quarters of the
   * prefetch keeps round trips few; with nothing to start, every free place counts.
   */
  #room(): number {
    if (this.#held.holdsSuspect || this.#overfed) return 0;
    // One by one while suspects come: the others would only be given back.
    const prefetch = this.#suspectsCome ? 1 : this.#options.prefetch;
    const free = prefetch - this.size;
    return free >= prefetch / 4 || this.#held.unstarted === 0 ? Math.max(0, free) : 0;
  }

  #roomMade(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeReading = () => {
        this.#wakeReading = null;
        resolve();
      };
    });
  }

  async #recover(error: unknown, failures: number): Promise<void> {
    const { driver, clock, logger, random } = this.context;
    const { code, retryable } = wrapError(`receive from "${this.topic.name}"`, driver, error);
    logger.warn({ consumer: this.consumer, code, failures }, 'receiving failed; trying again');
    await sleep(clock, backoff(failures, callBackoff, random()), this.#stopping.signal);
    if (this.stopping || !(error instanceof Refusal) || retryable) return;
    // The driver says that this subscription cannot go on: what was held is gone with it, so start a new one.
    const gone = this.#subscription;
    for (const delivery of this.#all()) this.#lose(delivery);
    await gone?.close().catch(() => {});
    await this.#subscribe().catch((again: unknown) => {
      logger.warn(
        { consumer: this.consumer, code: again instanceof QueueError ? again.code : 'internal' },
        'subscribing again failed; trying again',
      );
    });
  }

  async #admit(received: readonly Received[]): Promise<void> {
    const receivedAt = this.context.clock.now();
    const arrived: Delivery[] = [];
    for (const one of received) {
      const outcome = this.#unpack(one, receivedAt);
      // Asynchronous schemas keep the order of arrival: nothing is handed out before all have been read.
      const { delivery, disposal } = outcome instanceof Promise ? await outcome : outcome;
      if (disposal === null) arrived.push(delivery);
      else void this.#dispose(delivery, disposal);
    }
    const ours = arrived.filter((delivery) => !this.#gone.has(delivery.received.receipt));
    this.#held.add(ours);
    this.#suspectsCome = ours.some(isSuspect);
    // After they are held: the keeper looks at what is held, and would find nothing to keep.
    this.#keeper?.watch(ours);
    if (this.#handingOver) this.#giveBack(this.#held.allUnstarted());
    else if (this.stopping) this.#giveBackUnordered();
    else if (ours.length > 0) this.#options.onReady();
  }

  /** Settles what no handler should see. If even that fails, it is let go and comes again. */
  async #dispose(delivery: Delivery, disposal: (delivery: Delivery) => Promise<unknown>): Promise<void> {
    this.#disposing.add(delivery);
    delivery.beginSettling();
    this.#keeper?.watch([delivery]);
    try {
      await disposal(delivery);
    } catch (error) {
      const code = error instanceof QueueError ? error.code : 'internal';
      this.context.logger.warn(
        { ...this.#about(delivery), code },
        'a message that cannot be handled could not be settled; it comes again',
      );
      this.#drop(delivery);
    }
  }

  /** Reads one message; `disposal` says what to do with one that no handler should see. */
  #unpack(received: Received, receivedAt: number): Unpacked | Promise<Unpacked> {
    const { message: stored } = received;
    const unread = (): Delivery => this.#hold(received, undefined, receivedAt);
    if (stored.format !== null && stored.format > messageFormat) {
      return { delivery: unread(), disposal: (delivery) => this.#leaveForOthers(delivery) };
    }
    if (received.redeliveries > this.topic.maxRedeliveries) {
      return { delivery: unread(), disposal: (delivery) => this.bury(delivery, 'reject', 'crash-loop', 'crash-loop') };
    }
    const decoded = decodeBody(this.topic, stored.body);
    return decoded instanceof Promise
      ? decoded.then((late) => this.#unpacked(received, late, receivedAt))
      : this.#unpacked(received, decoded, receivedAt);
  }

  #unpacked(received: Received, decoded: Awaited<ReturnType<typeof decodeBody>>, receivedAt: number): Unpacked {
    if ('body' in decoded) return { delivery: this.#hold(received, decoded.body, receivedAt), disposal: null };
    const delivery = this.#hold(received, undefined, receivedAt);
    return { delivery, disposal: (unreadable) => this.bury(unreadable, 'reject', 'undecodable', decoded.fault) };
  }

  #hold(received: Received, body: unknown, receivedAt: number): Delivery {
    const { topic, key, routingKey, headers, publishedAt } = received.message;
    const message: Message = { id: idOf(received.message), topic, key, routingKey, headers, body, publishedAt };
    const delivery = new HeldDelivery(this, received, message, receivedAt);
    return delivery;
  }

  /** Written by a newer release: back to the group unchanged, for a process that can read it. */
  async #leaveForOthers(delivery: Delivery): Promise<void> {
    const { receipt, counts } = delivery.received;
    this.context.logger.warn(
      { ...this.#about(delivery), format: delivery.received.message.format },
      'left a message of a newer format for others',
    );
    await this.#callAndEnd(delivery, 'postpone', { kind: 'release', receipt, delayMs: newerFormatDelayMs, counts });
  }

  #all(): readonly Delivery[] {
    return [...this.#held.allStarted(), ...this.#held.allUnstarted(), ...this.#disposing];
  }

  #giveBack(deliveries: readonly Delivery[]): void {
    if (deliveries.length === 0) return;
    for (const delivery of deliveries) {
      if (!this.#held.remove(delivery)) continue;
      delivery.settled();
      this.#settles.add(
        { kind: 'give-back', receipt: delivery.received.receipt },
        (answer) => {
          if (answer === 'done' && this.context.events.heard('given-back'))
            this.context.events.emit('given-back', this.#about(delivery));
          this.#wake();
        },
        // It comes back by itself when its lease or connection ends.
        () => this.#wake(),
      );
    }
    this.#wake();
  }

  /** Brings a settlement to the backend and takes the delivery out of what is held, unless nothing was changed. */
  #callAndEnd(delivery: Delivery, verb: Verb, settlement: Settlement, onDone?: () => void): Promise<void> {
    const operation = (): string => `${verb} a delivery of "${this.topic.name}"`;
    return new Promise((resolve, reject) => {
      this.#settles.add(
        settlement,
        (answer, unknownBefore) => {
          if (answer === 'done') {
            delivery.settled();
            // Before the next of its key starts: events tell things in their order.
            onDone?.();
            this.#drop(delivery);
            resolve();
          } else if (unknownBefore) {
            // The first try may have done it and lost its answer: saying `lease-lost` could be false.
            this.#forsake(delivery);
            reject(this.#settleUnknown(delivery, operation()));
          } else {
            this.#lose(delivery);
            reject(this.#leaseLost(operation()));
          }
        },
        (failure) => {
          const error = wrapFailure(operation(), this.context.driver.name, failure);
          // The deadline passed: let it come again instead of holding it for ever.
          if (failure.retryable || failure.outcomeUnknown || failure.code === 'closed') {
            this.#forsake(delivery);
            this.#tellSettleFailed(delivery, error);
          } else {
            delivery.unsettled();
          }
          reject(error);
        },
      );
    });
  }

  #forsake(delivery: Delivery): void {
    delivery.forsake();
    this.#drop(delivery);
  }

  async #callSettle(batch: readonly Settlement[]): Promise<readonly Outcome<SettleAnswer>[]> {
    const results = await (this.#subscription as DriverSubscription).settle(batch);
    return results.map(outcomeOf);
  }

  #lostByDriver(receipts: readonly object[]): void {
    const gone = new Set(receipts);
    for (const receipt of receipts) this.#gone.add(receipt);
    for (const delivery of this.#all()) {
      // One that is being settled gets its answer from the backend: a connection that broke may have carried it over.
      if (gone.has(delivery.received.receipt) && delivery.state !== 'settling') this.#lose(delivery);
    }
  }

  #lose(delivery: Delivery): void {
    if (!delivery.lose(this.#leaseLost(`keep a delivery of "${this.topic.name}"`))) return;
    this.#held.remove(delivery);
    this.#drop(delivery);
    this.context.logger.warn(this.#about(delivery), 'a delivery was lost; it comes again');
    if (this.context.events.heard('lease-lost')) this.context.events.emit('lease-lost', this.#about(delivery));
  }

  /** The delivery is over, however it ended. */
  #drop(delivery: Delivery): void {
    this.#disposing.delete(delivery);
    this.#held.end(delivery);
    this.#wake();
  }

  #wake(): void {
    if (!this.stopping) {
      if (this.#held.unstarted > 0) this.#options.onReady();
      if (this.#wakeReading !== null && this.#room() > 0) this.#wakeReading();
      return;
    }
    this.#wakeReading?.();
    if (this.#held.started > 0 || this.#settles.size > 0) return;
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }

  #about(delivery: Delivery): { topic: string; group: string; id: string; consumer: string } {
    return { topic: this.topic.name, group: this.group, id: delivery.id, consumer: this.consumer };
  }

  #tellSettleFailed(delivery: Delivery, error: QueueError): void {
    this.context.logger.warn(
      { ...this.#about(delivery), code: error.code },
      'a settlement did not reach the backend; the message comes again',
    );
    if (this.context.events.heard('settle-failed'))
      this.context.events.emit('settle-failed', { ...this.#about(delivery), error });
  }

  #settleUnknown(delivery: Delivery, operation: string): QueueError {
    const error = new QueueError(
      `cannot ${operation}: an earlier try got no answer and now the delivery is no longer ours, so it took effect or the message comes again; make the handler idempotent`,
      { code: 'unavailable', outcomeUnknown: true, backend: this.context.driver.name },
    );
    this.#tellSettleFailed(delivery, error);
    return error;
  }

  #leaseLost(operation: string): QueueError {
    return new QueueError(
      `cannot ${operation}: its lease or connection was lost and the message comes again; nothing was changed`,
      {
        code: 'lease-lost',
        backend: this.context.driver.name,
      },
    );
  }
}

interface Unpacked {
  readonly delivery: Delivery;
  readonly disposal: ((delivery: Delivery) => Promise<unknown>) | null;
}

function outcomeOf(result: SettleResult): Outcome<SettleAnswer> {
  return result.status === 'failed' ? { error: result.error } : { answer: result.status };
}
