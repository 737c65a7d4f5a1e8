import { setMaxListeners } from 'node:events';
import { backoff } from './backoff.js';
import { callBackoff } from './call-queue.js';
import { sleep } from './clock.js';
import type { QueueContext } from './context.js';
import type { DeathFacts } from './dead-letter.js';
import { type HeldDelivery as Delivery, HeldDelivery, type Holder, type Verb } from './delivery.js';
import { DeliveryReports } from './delivery-reports.js';
import { type DriverSubscription, type Received, Refusal, type Settlement } from './driver.js';
import { QueueError } from './errors.js';
import { wrapError } from './failure.js';
import { Held, isSuspect } from './held.js';
import { Keeper } from './keeper.js';
import { idOf, type Message } from './message.js';
import { callDeadlineMs, lastAnswersMs } from './sender.js';
import { leaseLost, Settler } from './settler.js';
import { Stranded } from './stranded.js';
import type { Topic } from './topic.js';
import { type Unpacked, unpack } from './unpack.js';

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
  readonly #reports: DeliveryReports;
  readonly #settler: Settler;
  readonly #stranded: Stranded;
  readonly #stopping = new AbortController();
  /** Aborted while nothing is received or started: at a close for good, otherwise until there is a new subscription. */
  #pausing = new AbortController();
  readonly #ended = new AbortController();
  /** The backend hands out nothing to the group until somebody resumes it; nothing is started either. */
  #groupPaused = false;
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
  #isLosing = false;
  /** How many it held after the last `receive`: while it still does, nothing has been freed since. */
  #filledTo = 0;
  /** Whether the last that was received brought suspects. */
  #suspectsCome = false;
  #onEmpty: (() => void)[] = [];
  /** What the driver said is lost. It may say so before what it handed out was admitted: a promise takes a turn, a schema longer. */
  readonly #gone = new WeakSet<object>();
  /** What waits for its schema, which is asynchronous. Held like everything else, and given back like what was not started. */
  readonly #unpacking = new Set<Delivery>();
  /** The last of each key that is still being unpacked: later ones of the key wait for it. */
  readonly #unpackingKeys = new Map<string, Promise<unknown>>();
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
    this.#reports = new DeliveryReports(context, this.consumer);
    this.#settler = new Settler({
      context,
      topic,
      group: this.group,
      consumer: this.consumer,
      reports: this.#reports,
      settle: (batch) => (this.#subscription as DriverSubscription).settle(batch),
      onOver: (delivery) => this.#drop(delivery),
      onLost: (delivery) => this.#lose(delivery),
      onGivenBack: () => this.#wake(),
      onStranded: (delivery) => this.#strand(delivery),
    });
    this.#stranded = new Stranded(context.clock, () => this.#pause());
  }

  get size(): number {
    return this.#held.size + this.#unpacking.size + this.#disposing.size;
  }

  /** Of what nobody here holds any more, how many the backend does: it would not settle them. They come again with a new subscription. */
  get stranded(): number {
    return this.#stranded.size;
  }

  /** Why the backend lets it read nothing, or not all; null: nothing is known to be wrong. */
  get trouble(): string | null {
    return this.#subscription?.trouble ?? null;
  }

  /** How long the backend keeps a delivery for its holder; null where the connection does. */
  get leaseMs(): number | null {
    return this.#subscription?.lease?.ms ?? null;
  }

  get groupPaused(): boolean {
    return this.#groupPaused;
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
    if (this.#paused || this.#isLosing) return null;
    const delivery = this.#clearsTheWay() ? null : this.#held.take();
    this.#hungry = delivery === null;
    if (this.#held.unstarted === 0 || this.#overfed) {
      this.#overfed = false;
      this.#wakeReading?.();
    }
    if (delivery === null) return null;
    this.#reports.delivered(delivery);
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
    return this.#settler.size > 0;
  }

  settle(delivery: Delivery, verb: Verb, settlement: Settlement): Promise<void> {
    return this.#settler.settle(delivery, verb, settlement);
  }

  bury(delivery: Delivery, verb: Verb, cause: DeathFacts['cause'], reason: unknown): Promise<void> {
    return this.#settler.bury(delivery, verb, cause, reason);
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
    throw leaseLost(operation, this.context.driver.name);
  }

  /** Stops holding a delivery that cannot be settled: it comes again when its lease ends, or with a new subscription. */
  letGo(delivery: Delivery): void {
    if (delivery.state === 'held') this.#strand(delivery);
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
    this.#stopping.abort();
    this.#pause();
    this.#options.onReady();
    await this.#opening?.catch(() => {});
    await this.#handOver(deadlineMs, this.#reading, this.#ended.signal, (delivery) => {
      delivery.lose(
        new QueueError(
          `the close of the subscription to "${this.topic.name}" reached its deadline; the message comes again`,
          { code: 'aborted' },
        ),
      );
      this.#drop(delivery);
    });
    this.#stranded.stop();
    this.#keeper?.stop();
    await this.#closeSubscription();
    await this.#reading;
    // Once more: a subscription that was just being renewed.
    await this.#closeSubscription();
    this.#settler.close();
    this.#ended.abort();
  }

  /** Nothing more is received or started. */
  #pause(): void {
    this.#pausing.abort();
    this.#wakeReading?.();
  }

  get #paused(): boolean {
    return this.#pausing.signal.aborted;
  }

  /** Lets what was started end, drops at the deadline what has not, and gives back the rest. Ends early when the signal aborts. */
  async #handOver(
    deadlineMs: number,
    reading: Promise<void> | null,
    signal: AbortSignal,
    drop: (delivery: Delivery) => void,
  ): Promise<void> {
    const deadlineAt = this.context.clock.now() + deadlineMs;
    // Unordered messages are free for others at once; ordered ones only when what runs before them is settled.
    this.#giveBackUnordered();
    await this.#emptied(deadlineMs, signal);
    if (signal.aborted) return;
    for (const delivery of this.#held.allStarted()) drop(delivery);
    // Not before the last receive has ended: it could be handed once more what is given back now.
    await this.#within(lastAnswersMs, reading, signal);
    this.#giveBack(this.#unstarted());
    const leftMs = Math.max(deadlineAt - this.context.clock.now(), lastAnswersMs);
    await this.#within(leftMs, this.#settler.idle(), signal);
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
    if (this.topic.ordering === 'none') this.#giveBack(this.#unstarted());
  }

  /** Until nothing started is left and its settlements are stored. */
  async #emptied(deadlineMs: number, signal: AbortSignal): Promise<void> {
    if (deadlineMs === 0 || (this.#held.started === 0 && this.#settler.size === 0)) return;
    const empty = new Promise<void>((resolve) => this.#onEmpty.push(resolve));
    await this.#within(deadlineMs, empty, signal);
  }

  /** Waits for `done`, but no longer than that, and not once the signal aborts. */
  async #within(ms: number, done: Promise<void> | null, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    await Promise.race([done, sleep(this.context.clock, ms, AbortSignal.any([over.signal, signal]))]);
    over.abort();
  }

  async #subscribe(): Promise<void> {
    const { driver, clock } = this.context;
    const { group, prefetch, consumer } = this.#options;
    const operation = `subscribe to "${this.topic.name}" as group "${group}"`;
    const deadlineAt = clock.now() + callDeadlineMs;
    for (let tries = 1; ; tries++) {
      this.#groupPaused = false;
      try {
        this.#subscription = await driver.subscribe({
          topic: this.topic.name,
          group,
          prefetch,
          consumer,
          onLost: (receipts) => this.#lostByDriver(receipts),
          onPaused: (paused) => this.#onGroupPaused(paused),
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
      unstarted: () => this.#unstarted(),
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

  /** Nothing is started once this has returned. */
  #onGroupPaused(paused: boolean): void {
    if (this.#groupPaused === paused) return;
    this.#groupPaused = paused;
    const { consumer, group, topic } = this;
    this.context.logger.info(
      { consumer, topic: topic.name, group },
      paused ? 'the group is paused' : 'the group flows',
    );
    if (paused) this.#giveBack(this.#unstarted());
    else this.#wake();
  }

  async #read(): Promise<void> {
    let failures = 0;
    while (!this.stopping) {
      if (this.#paused) {
        await this.#renew();
        continue;
      }
      const room = this.#room();
      if (room === 0) {
        await this.#roomMade();
        continue;
      }
      const subscription = this.#subscription as DriverSubscription;
      try {
        const received = await subscription.receive(room, receiveWaitMs, this.#pausing.signal);
        failures = 0;
        if (received.length > 0) this.#admit(received);
        this.#filledTo = this.size;
      } catch (error) {
        if (this.stopping) break;
        failures++;
        await this.#recover(error, failures);
      }
    }
  }

  /**
   * How many to ask for. While there is something to start there is no hurry, and asking in quarters of the
   * prefetch keeps round trips few; with nothing to start, every free place counts. So it does while nobody has settled
   * anything: a backend that pushes hands out a prefetch in several pieces, and what is left of it nobody else gets.
   */
  #room(): number {
    if (this.#held.holdsSuspect || this.#overfed) return 0;
    // One by one while suspects come and the others would only be given back.
    const isOneByOne = this.#suspectsCome && !this.context.driver.capabilities.countsGiveBack;
    const prefetch = isOneByOne ? 1 : this.#options.prefetch;
    const free = prefetch - this.size;
    const isAskedNow = free >= prefetch / 4 || this.#held.unstarted === 0 || this.size >= this.#filledTo;
    return isAskedNow ? Math.max(0, free) : 0;
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
    // The driver says that this subscription cannot go on: what was held is gone with it.
    if (!this.stopping && error instanceof Refusal && !retryable) await this.#startAnew();
  }

  /** The backend keeps what it would not settle for as long as the subscription lasts: hands over like a close, then starts anew. */
  async #renew(): Promise<void> {
    this.context.logger.warn(
      { consumer: this.consumer, stranded: this.stranded },
      'the backend holds what it would not settle; subscribing anew',
    );
    await this.#handOver(callDeadlineMs, null, this.#stopping.signal, (delivery) => this.#lose(delivery));
    if (!this.stopping) await this.#startAnew();
  }

  async #startAnew(): Promise<void> {
    const { events, logger } = this.context;
    const { consumer, group, topic, stranded } = this;
    this.#loseAll(this.#all());
    await this.#closeSubscription();
    this.#stranded.renewed();
    try {
      await this.#subscribe();
      events.emit('resubscribed', { topic: topic.name, group, consumer, stranded });
    } catch (error) {
      const code = error instanceof QueueError ? error.code : 'internal';
      logger.warn({ consumer, code }, 'subscribing again failed; trying again');
    }
    if (!this.stopping) this.#pausing = new AbortController();
  }

  #admit(received: readonly Received[]): void {
    const receivedAt = this.context.clock.now();
    const arrived: [Delivery, Unpacked][] = [];
    const late: Delivery[] = [];
    for (const one of received) {
      if (this.#gone.has(one.receipt)) continue;
      const unpacked = unpack(this.topic, one);
      const delivery = this.#hold(one, bodyOf(unpacked), receivedAt);
      const before = delivery.key === null ? undefined : this.#unpackingKeys.get(delivery.key);
      if (unpacked instanceof Promise || before !== undefined) {
        late.push(delivery);
        this.#arriveLate(delivery, unpacked, before);
      } else {
        arrived.push([delivery, unpacked]);
      }
    }
    this.#keeper?.watch(late);
    this.#suspectsCome = received.some(isSuspect);
    this.#arrive(arrived);
  }

  /** A slow schema keeps nobody waiting but what comes after it of its key. */
  #arriveLate(delivery: Delivery, unpacked: Unpacked | Promise<Unpacked>, before: Promise<unknown> | undefined): void {
    const { key } = delivery;
    this.#unpacking.add(delivery);
    const turn = Promise.all([unpacked, before]).then(([late]) => {
      if (key !== null && this.#unpackingKeys.get(key) === turn) this.#unpackingKeys.delete(key);
      if (!this.#unpacking.delete(delivery)) return; // lost, or given back
      delivery.fill(bodyOf(late));
      this.#arrive([[delivery, late]]);
    });
    if (key !== null && this.topic.ordering === 'key') this.#unpackingKeys.set(key, turn);
  }

  #arrive(arrived: readonly (readonly [Delivery, Unpacked])[]): void {
    const ready: Delivery[] = [];
    for (const [delivery, unpacked] of arrived) {
      if (unpacked.kind === 'body') ready.push(delivery);
      else void this.#dispose(delivery, unpacked);
    }
    this.#held.add(ready);
    // After they are held: the keeper looks at what is held, and would find nothing to keep.
    this.#keeper?.watch(ready);
    if (this.#groupPaused) this.#giveBack(this.#unstarted());
    else if (this.#paused) this.#giveBackUnordered();
    else if (ready.length > 0) this.#options.onReady();
  }

  #hold(received: Received, body: unknown, receivedAt: number): Delivery {
    const { topic, key, routingKey, headers, publishedAt } = received.message;
    const message: Message = {
      id: idOf(received.message),
      topic,
      key,
      routingKey,
      headers,
      body,
      publishedAt,
    };
    return new HeldDelivery(this, received, message, receivedAt, this.#subscription);
  }

  /** Settles what no handler should see. If even that fails, it is let go and comes again. */
  async #dispose(delivery: Delivery, unpacked: Exclude<Unpacked, { kind: 'body' }>): Promise<void> {
    this.#disposing.add(delivery);
    delivery.beginSettling();
    this.#keeper?.watch([delivery]);
    try {
      if (unpacked.kind === 'newer-format') await this.#settler.leaveForOthers(delivery, newerFormatDelayMs);
      else if (unpacked.kind === 'crash-loop') await this.bury(delivery, 'reject', 'crash-loop', 'crash-loop');
      else await this.bury(delivery, 'reject', 'undecodable', unpacked.fault);
    } catch (error) {
      this.#reports.notDisposed(delivery, error);
      if (delivery.state === 'held') this.#strand(delivery);
      this.#drop(delivery);
    }
  }

  #all(): readonly Delivery[] {
    return [...this.#held.allStarted(), ...this.#unstarted(), ...this.#disposing];
  }

  #unstarted(): readonly Delivery[] {
    return [...this.#held.allUnstarted(), ...this.#unpacking];
  }

  #giveBack(deliveries: readonly Delivery[]): void {
    if (deliveries.length === 0) return;
    for (const delivery of deliveries) {
      if (this.#held.remove(delivery) || this.#unpacking.delete(delivery)) this.#settler.giveBack(delivery);
    }
    this.#wake();
  }

  #lostByDriver(receipts: readonly object[]): void {
    const gone = new Set(receipts);
    this.#stranded.forget(receipts);
    for (const receipt of receipts) this.#gone.add(receipt);
    // One that is being settled gets its answer from the backend: a connection that broke may have carried it over.
    this.#loseAll(this.#all().filter(({ received, state }) => gone.has(received.receipt) && state !== 'settling'));
  }

  /** Nothing is started until all are lost: one that waited behind a lost one of its key would be, out of turn, and in vain. */
  #loseAll(deliveries: readonly Delivery[]): void {
    this.#isLosing = true;
    try {
      for (const delivery of deliveries) this.#lose(delivery);
    } finally {
      this.#isLosing = false;
    }
    this.#wake();
  }

  #lose(delivery: Delivery): void {
    if (!delivery.lose(leaseLost(`keep a delivery of "${this.topic.name}"`, this.context.driver.name))) return;
    this.#held.remove(delivery);
    this.#unpacking.delete(delivery);
    this.#drop(delivery);
    this.#reports.lost(delivery);
  }

  /** Nobody here holds it any more, and the backend may: where there is no lease that ends, the subscription must. */
  #strand(delivery: Delivery): void {
    if (delivery.subscription !== this.#subscription || this.leaseMs !== null || this.stopping) return;
    if (!this.#gone.has(delivery.received.receipt)) this.#stranded.add(delivery.received.receipt);
  }

  /** The delivery is over, however it ended. */
  #drop(delivery: Delivery): void {
    this.#disposing.delete(delivery);
    this.#held.end(delivery);
    this.#wake();
  }

  #wake(): void {
    if (this.#isLosing) return;
    if (!this.#paused) {
      if (this.#held.unstarted > 0) this.#options.onReady();
      if (this.#wakeReading !== null && this.#room() > 0) this.#wakeReading();
      return;
    }
    this.#wakeReading?.();
    if (this.#held.started > 0 || this.#settler.size > 0) return;
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }
}

/** Undefined while it is not known, and for what no handler will see. */
function bodyOf(unpacked: Unpacked | Promise<Unpacked>): unknown {
  return 'kind' in unpacked && unpacked.kind === 'body' ? unpacked.body : undefined;
}
