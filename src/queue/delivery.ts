import type { QueueContext } from './context.js';
import type { DriverSubscription, Received, Settlement } from './driver.js';
import { QueueError } from './errors.js';
import type { Message } from './message.js';
import { DeliveryOutbox, type Outbox } from './outbox.js';
import { checkDelay } from './outgoing.js';
import type { Topic } from './topic.js';
import { afterFailure, afterPostpone, type Verdict } from './verdict.js';

/**
 * One hand-out of a message to one subscriber, to be settled once by `ack`, `nack`, `postpone` or `reject`.
 *
 * Each of them resolves once the settlement has taken effect (on backends without an answer to an ack: once
 * it was handed over). It rejects with `lease-lost` (the message is with somebody else, nothing was changed),
 * `already-settled`, or an error with `outcomeUnknown`; after any other error the delivery is still held and
 * may be settled again. What can succeed later is repeated for 30 s.
 */
export interface Delivery<Body = unknown> {
  readonly message: Message<Body>;
  readonly topic: string;
  readonly group: string;
  /** 1, and 1 more after each nack. */
  readonly attempt: number;
  /** How often it was postponed. */
  readonly postpones: number;
  /** Hand-outs that ended without an answer since the last answer: crashes, cuts, lost leases. */
  readonly redeliveries: number;
  /** On this process's clock, epoch milliseconds. */
  readonly receivedAt: number;
  /** Aborted when the lease is lost, the handler's time is up, or a close reaches its deadline; never by a normal end. */
  readonly signal: AbortSignal;
  /** Messages that leave with the ack, and only with it. */
  readonly outbox: Outbox;
  /** Done for this group; takes the outbox along. */
  ack(): Promise<void>;
  /**
   * Failed, try again: after `requeueAfterMs`, or after the topic's back-off when none is given. The nack of
   * the last attempt makes a dead letter with `reason` (a text or an error).
   */
  nack(requeueAfterMs?: number, reason?: unknown): Promise<void>;
  /** Nothing failed: come back after `delayMs`, any number of times. */
  postpone(delayMs: number): Promise<void>;
  /** Poison: a dead letter now, with this reason (a text or an error). */
  reject(reason: unknown): Promise<void>;
  /** Still working: the lease ends `ms` from now, at most 24 h. Needed only with `leaseExtension: 'manual'`; `unsupported` where there is no lease. */
  extend(ms: number): Promise<void>;
}

export type Verb = 'ack' | 'nack' | 'postpone' | 'reject';

/** What a delivery needs of the reader that holds it. */
export interface Holder {
  readonly context: QueueContext;
  readonly topic: Topic;
  readonly group: string;
  readonly consumer: string;
  settle(delivery: HeldDelivery, verb: Verb, settlement: Settlement): Promise<void>;
  bury(delivery: HeldDelivery, verb: Verb, cause: 'attempts-exhausted' | 'rejected', reason: unknown): Promise<void>;
  extend(delivery: HeldDelivery, ms: number): Promise<void>;
}

/**
 * `held` until a settlement begins, `settling` until the backend has answered, then `settled`; `lost` when the
 * lease or the connection went first; `forsaken` when no answer came in time. A settlement that failed without effect leads back to `held`.
 */
type State = 'held' | 'settling' | 'settled' | 'lost' | 'forsaken';

/** A message that nobody answers for comes again within a day, whatever its holder asked for. */
const longestExtensionMs = 86_400_000;

export class HeldDelivery<Body = unknown> implements Delivery<Body> {
  readonly received: Received;
  message: Message<Body>;
  readonly receivedAt: number;
  /** Which of its reader's subscriptions handed it out: with that one it ends. */
  readonly subscription: DriverSubscription | null;
  readonly #holder: Holder;
  /** Written by the keeper: when the lease ends on this process's clock; infinite without leases. */
  leaseEndsAt = Number.POSITIVE_INFINITY;
  /** Written by `Held`. */
  arrival = 0;
  slot = -1;
  #state: State = 'held';
  #controller: AbortController | null = null;
  #abortReason: QueueError | null = null;
  #outbox: DeliveryOutbox | null = null;

  constructor(
    holder: Holder,
    received: Received,
    message: Message<Body>,
    receivedAt: number,
    subscription: DriverSubscription | null,
  ) {
    this.#holder = holder;
    this.received = received;
    this.message = message;
    this.receivedAt = receivedAt;
    this.subscription = subscription;
  }

  get id(): string {
    return this.message.id;
  }
  get key(): string | null {
    return this.message.key;
  }
  get topic(): string {
    return this.#holder.topic.name;
  }
  get group(): string {
    return this.#holder.group;
  }
  get attempt(): number {
    return this.received.counts.attempt;
  }
  get postpones(): number {
    return this.received.counts.postpones;
  }
  get redeliveries(): number {
    return this.received.redeliveries;
  }
  get state(): State {
    return this.#state;
  }

  get signal(): AbortSignal {
    // Made only when asked for: a controller costs 3 us, more than the rest of a delivery.
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#abortReason !== null) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  get outbox(): Outbox {
    this.#outbox ??= new DeliveryOutbox(this.#holder.context, `"${this.topic}"`);
    return this.#outbox;
  }

  ack(): Promise<void> {
    if (this.#state !== 'held') return Promise.reject(this.#refusal('ack'));
    this.#state = 'settling';
    const { receipt } = this.received;
    if (this.#outbox === null) return this.#holder.settle(this, 'ack', { kind: 'ack', receipt, outbox: [] });
    return this.#outbox.seal().then((outbox) => this.#holder.settle(this, 'ack', { kind: 'ack', receipt, outbox }));
  }

  async nack(requeueAfterMs?: number, reason: unknown = 'nacked without a reason'): Promise<void> {
    const { context, topic } = this.#holder;
    const delayMs =
      requeueAfterMs === undefined
        ? null
        : checkDelay(this.#operation('nack'), requeueAfterMs, context.driver.capabilities.delay);
    // Before it begins: a user's `random` that throws must not leave it neither held nor settled.
    const verdict = afterFailure(topic, {
      counts: this.received.counts,
      requeueAfterMs: delayMs,
      now: context.clock.now(),
      random: context.random(),
    });
    this.#begin('nack');
    return this.#carryOut('nack', verdict, reason);
  }

  async postpone(delayMs: number): Promise<void> {
    const checked = checkDelay(this.#operation('postpone'), delayMs, this.#holder.context.driver.capabilities.delay);
    this.#begin('postpone');
    return this.#carryOut('postpone', afterPostpone(this.received.counts, checked), null);
  }

  async reject(reason: unknown): Promise<void> {
    this.#begin('reject');
    return this.#holder.bury(this, 'reject', 'rejected', reason);
  }

  async extend(ms: number): Promise<void> {
    if (typeof ms !== 'number' || !Number.isFinite(ms) || ms <= 0) {
      throw new QueueError(
        `cannot ${this.#operation('extend')}: ${String(ms)} is no time span; give milliseconds above 0`,
        { code: 'invalid' },
      );
    }
    if (ms > longestExtensionMs) {
      throw new QueueError(
        `cannot ${this.#operation('extend')}: ${ms} ms is longer than the ${longestExtensionMs} ms that a lease may be extended by at once; extend again later`,
        { code: 'invalid' },
      );
    }
    if (this.#state !== 'held') throw this.#refusal('extend');
    return this.#holder.extend(this, ms);
  }

  /** The library settles it; no handler will see it. */
  beginSettling(): void {
    this.#state = 'settling';
  }

  /** What the schema made of the body, once it did. */
  fill(body: Body): void {
    this.message = { ...this.message, body };
  }

  /** The message is no longer ours. Answers whether that is news. */
  lose(reason: QueueError): boolean {
    if (this.#state === 'settled' || this.#state === 'lost' || this.#state === 'forsaken') return false;
    this.#state = 'lost';
    this.abort(reason);
    return true;
  }

  /** No answer came for its settlement: whether it took effect is unknown, and it may come again. */
  forsake(): void {
    this.#state = 'forsaken';
  }

  settled(): void {
    this.#state = 'settled';
  }

  /** The settlement failed without effect: the delivery can be settled again. */
  unsettled(): void {
    if (this.#state === 'settling') this.#state = 'held';
  }

  /** Tells the handler to stop; what it does then still counts. */
  abort(reason: QueueError): void {
    this.#abortReason ??= reason;
    this.#controller?.abort(reason);
  }

  #carryOut(verb: Verb, verdict: Verdict, reason: unknown): Promise<void> {
    const { receipt } = this.received;
    if (verdict.kind === 'dead') return this.#holder.bury(this, verb, 'attempts-exhausted', reason);
    const { delayMs, counts } = verdict;
    return this.#holder.settle(this, verb, { kind: 'release', receipt, delayMs, counts });
  }

  #begin(verb: Verb): void {
    if (this.#state !== 'held') throw this.#refusal(verb);
    this.#state = 'settling';
  }

  #operation(verb: string): string {
    return `${verb} a delivery of "${this.topic}"`;
  }

  #refusal(verb: string): QueueError {
    if (this.#state === 'lost') {
      return new QueueError(
        `cannot ${this.#operation(verb)}: its lease or connection was lost and the message comes again; nothing was changed, watch delivery.signal to stop in time`,
        { code: 'lease-lost' },
      );
    }
    return new QueueError(`cannot ${this.#operation(verb)}: it was settled before; settle each delivery once`, {
      code: 'already-settled',
    });
  }
}
