import { type Clock, Refusal, sleep } from '../driver.js';
import {
  Chain,
  type ConsumingChannel,
  classify,
  type Delivery,
  type KeptConsumer,
  type Link,
  type Linked,
  replyCodeOf,
} from './connection/index.js';
import { keyOf, redeliveriesOf } from './message-coding.js';

/** A message that a reader has in hand: what the portable layer holds as a receipt. */
export class Handed implements Linked<Handed> {
  /** Among what is in hand of its feed. */
  isLinked = false;
  before: Handed | null = null;
  after: Handed | null = null;
  /** Nonces of what its outbox has stored already, should its settlement have to be repeated; null: nothing. */
  stored: Set<string> | null = null;
  /** A settlement that waits for confirms. */
  settling: Promise<unknown> | null = null;

  constructor(
    readonly feed: Feed,
    readonly delivery: Delivery,
    /** Hand-outs before this one in which it may have been worked on. */
    readonly redeliveries: number,
  ) {}
}

/** Where a message came from, and where its copies go back to. */
export interface Source {
  readonly queue: string;
  readonly topic: string;
  readonly group: string;
}

export interface FeedOptions {
  readonly link: Link;
  readonly source: Source;
  readonly prefetch: number;
  readonly consumer: string;
  /** Whether the queue has a single active consumer, so that the order in which messages go back matters. */
  readonly ordered: boolean;
  /** Something is there to be taken, or there is trouble. */
  readonly onReady: () => void;
  readonly onLost: (handed: readonly Handed[]) => void;
  /** The broker had cancelled the consumer, and there is one again. */
  readonly onRestored: () => void;
  /** Whether somebody waits for messages now. */
  readonly isAwaited: () => boolean;
  /** The queue is not there: makes it again if it should be, or throws the refusal that says what is missing. */
  readonly onMissing: () => Promise<void>;
  /** Resolves when this process hears of pauses: what is consumed before that, nobody could stop. */
  readonly untilHeard: () => Promise<void>;
}

/** What has come back so often may have killed who had it. The broker counts everything that a dead process was pushed. */
const suspectAfterRedeliveries = 2;

/**
 * What the broker pushes from one queue: a buffer of what nobody has taken yet, and what is in hand. Unordered, what is
 * not wanted goes back by `nack`. Ordered, nothing goes back by itself, or the broker would hand out what follows it
 * first: it waits here until nothing of the lane is in hand, and then the channel is closed, without cancelling, which
 * puts all of it back in its old order. That order holds as long as whoever reads next is pushed all of it at once: a quorum queue
 * hands out what came back first, but puts what comes back behind what came back before. So lanes are always
 * read with the whole prefetch (measured: readers that began with 1 made 28 inversions of 24 000 deliveries).
 */
export class Feed {
  readonly #options: FeedOptions;
  readonly #waiting: Delivery[] = [];
  readonly #inHand = new Chain<Handed>();
  #kept: KeptConsumer | null = null;
  #channel: ConsumingChannel | null = null;
  #tags: readonly string[] = [];
  /** How many were started on the channel. */
  #consumers = 0;
  #setUps = 0;
  #wanted = false;
  /** Unordered: whether the second consumer was started. */
  #isWide = true;
  #isCutOff = false;
  /** Whether it waits for its turn to be let go to another reader. */
  #isHandingOver = false;
  /** Whether the channel that is open has brought something: a lane that did is this reader's alone. */
  #hasBrought = false;
  #whenEmpty: (() => void) | null = null;
  #trouble: Refusal | null = null;
  /** What starts and stops it, one after the other. */
  #turn: Promise<void> = Promise.resolve();

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  get source(): Source {
    return this.#options.source;
  }

  /** Why nothing comes, where that is known for sure. */
  get trouble(): Refusal | null {
    return this.#trouble;
  }

  /** Why the broker knows no consumer of it, though there should be one; null: it does, or it is not known yet. */
  get absence(): unknown {
    const trouble = this.#wanted ? (this.#kept?.trouble ?? null) : null;
    // Where that is the connection, the driver says that it is not connected.
    return trouble !== null && classify(trouble).code === 'unavailable' ? null : trouble;
  }

  /** How many were pushed that nobody has taken. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Whether the broker has taken its queue away, and it does not consume again yet. */
  get isCutOff(): boolean {
    return this.#isCutOff;
  }

  /** Whether this lane is known to be this reader's: it is, from its first message until the channel is closed. */
  get isOurs(): boolean {
    return this.#hasBrought && this.#wanted;
  }

  /** How many are with whoever receives. */
  get inHand(): number {
    return this.#inHand.size;
  }

  /** How often what waits here has been handed out without an answer, at most. */
  get mostRedeliveries(): number {
    return Math.max(0, ...this.#waiting.map(({ message }) => redeliveriesOf(message)));
  }

  /** Whether the broker pushes by now. */
  get flows(): boolean {
    return this.#tags.length > 0;
  }

  /** Whether the next one that would be taken is a suspect. */
  get beginsWithSuspect(): boolean {
    const first = this.#waiting[0];
    return first !== undefined && !this.#isHandingOver && isSuspect(first);
  }

  /** Lets messages come. Trouble is forgotten: it is tried again at once. */
  start(): void {
    if (this.#trouble !== null) {
      this.#trouble = null;
      this.#kept?.retryNow();
    }
    if (this.#wanted) return;
    this.#wanted = true;
    void this.#next(() => this.#consume());
  }

  /** No more messages; what nobody has taken goes back. Resolves when it has, or will when what is in hand is settled. */
  stop(): Promise<void> {
    if (!this.#wanted) return this.#turn;
    this.#wanted = false;
    return this.#next(() => (this.#inHand.size === 0 ? this.#shut() : this.#cancel()));
  }

  /** Everything goes back, also what is in hand. */
  close(): Promise<void> {
    this.#wanted = false;
    return this.#next(() => this.#shut());
  }

  /**
   * Lets another reader have the lane: nothing more is taken from it, and when what is in hand is settled its channel is
   * closed and opened anew, which puts this reader at the end of the line. Does nothing when that takes longer than
   * `patienceMs`, so that one long handler does not stop a whole lane. What was pushed and not taken is counted once.
   */
  async handOver(clock: Clock, patienceMs: number): Promise<void> {
    if (!this.isOurs || this.#isHandingOver) return;
    this.#isHandingOver = true;
    try {
      const over = new AbortController();
      this.#whenEmpty = () => over.abort();
      if (this.#inHand.size > 0) await sleep(clock, patienceMs, over.signal);
      await this.#next(async () => {
        if (this.#inHand.size === 0) await this.#reopen();
      });
    } finally {
      this.#whenEmpty = null;
      this.#isHandingOver = false;
      this.#options.onReady();
    }
  }

  take(max: number): readonly Handed[] {
    if (this.#isHandingOver) return [];
    return this.#waiting.splice(0, max).map((delivery) => {
      const handed = new Handed(this, delivery, this.#redeliveriesOf(delivery));
      this.#inHand.add(handed);
      return handed;
    });
  }

  /** What stands behind another one of its key was pushed with it each time, and never worked on. */
  #redeliveriesOf({ message }: Delivery): number {
    const counted = redeliveriesOf(message);
    if (counted === 0 || !this.#options.ordered) return counted;
    const key = keyOf(message);
    const isBehind = key !== null && [...this.#inHand].some(({ delivery }) => keyOf(delivery.message) === key);
    return isBehind ? 0 : counted;
  }

  /** Whether it is still this holder's. */
  holds(handed: Handed): boolean {
    return handed.isLinked && handed.delivery.held;
  }

  ack(handed: Handed): 'done' | 'lost' {
    if (!this.#release(handed)) return 'lost';
    const answer = handed.delivery.ack();
    this.#settled(false);
    return answer;
  }

  async giveBack(handed: Handed): Promise<'done' | 'lost'> {
    // Not while it is being cancelled: it would come back here once more, and be counted again.
    if (!this.#wanted && !this.#options.ordered) await this.#turn;
    if (!this.holds(handed) || !this.#release(handed)) return 'lost';
    if (!this.#options.ordered) {
      // Not `nack`, which RabbitMQ 4 does not count: it is counted everywhere, or nowhere, and lanes cannot help it.
      const answer = handed.delivery.reject(true);
      this.#settled(false);
      return answer;
    }
    this.#putBack(handed.delivery);
    this.#settled(true);
    await this.#turn;
    return 'done';
  }

  #release(handed: Handed): boolean {
    return this.#inHand.remove(handed);
  }

  /** To its old place: tags rise with the order of the queue. */
  #putBack(delivery: Delivery): void {
    const tag = delivery.message.fields.deliveryTag;
    const at = this.#waiting.findIndex(({ message }) => message.fields.deliveryTag > tag);
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, delivery);
    this.#options.onReady();
  }

  /** With nothing in hand, a lane may go to others: it is let go when it is not wanted, or somebody gave something back. */
  #settled(gaveBack: boolean): void {
    if (this.#inHand.size === 0) this.#whenEmpty?.();
    if (this.#inHand.size > 0 || (this.#wanted && !gaveBack)) return;
    void this.#next(async () => {
      if (this.#inHand.size === 0) await this.#reopen();
    });
  }

  async #reopen(): Promise<void> {
    await this.#shut();
    if (this.#wanted) await this.#consume();
  }

  #next(step: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(step).catch(() => {
      // The channel was lost, and what was on it went back with it.
    });
    return this.#turn;
  }

  async #consume(): Promise<void> {
    if (!this.#wanted) return;
    if (this.#kept !== null) {
      // It was cancelled, or nobody waited when the channel came back.
      if (this.#channel === null) return;
      try {
        await this.#consumeOn(this.#channel);
      } catch (error) {
        // Deleted while nobody waited: made again, and consumed when the next channel is set up.
        if (replyCodeOf(error) === 404) await this.#missing();
        // The next `start` tries again.
        else this.#wanted = false;
        throw error;
      }
      return;
    }
    const { link, source, prefetch, ordered } = this.#options;
    this.#setUps = 0;
    this.#kept = link.keepConsuming({
      what: `the consumer of queue "${source.queue}"`,
      prefetch: ordered ? prefetch : 1,
      setup: (channel) => this.#setUp(channel),
      onDelivery: (delivery) => this.#arrived(delivery),
      onLost: (_, cause) => {
        if (classify(cause).code === 'not-found') this.#isCutOff = true;
        this.#lost();
      },
    });
  }

  async #setUp(channel: ConsumingChannel): Promise<void> {
    this.#channel = channel;
    this.#tags = [];
    this.#consumers = 0;
    // After a loss, who waits for nothing must not be handed what others wait for.
    if (this.#setUps++ > 0 && !this.#options.isAwaited()) this.#wanted = false;
    if (!this.#wanted) return;
    try {
      await this.#consumeOn(channel);
    } catch (error) {
      if (replyCodeOf(error) === 404) await this.#missing();
      throw error;
    }
  }

  async #missing(): Promise<void> {
    try {
      await this.#options.onMissing();
    } catch (error) {
      if (error instanceof Refusal && this.#wanted) {
        this.#trouble = error;
        this.#options.onReady();
      }
      throw error;
    }
  }

  /** Unordered, with a prefetch of 1 at first: see `#widen`. */
  async #consumeOn(channel: ConsumingChannel): Promise<void> {
    if (this.#tags.length > 0) return;
    const { ordered, untilHeard } = this.#options;
    await untilHeard();
    if (!this.#wanted) return;
    if (!ordered) this.#isWide = false;
    if (!ordered) await channel.limit(1);
    const consumerTag = this.#nextTag();
    this.#tags = [consumerTag];
    // Never with a priority: see docs/decisions/amqp-driver.md, "Whose lane it is".
    await channel.consume(this.source.queue, { consumerTag });
    this.#trouble = null;
    if (!this.#isCutOff) return;
    this.#isCutOff = false;
    this.#options.onRestored();
  }

  /**
   * A second consumer for the rest of the prefetch, once the first message turned out to be no suspect: AMQP cannot
   * change the prefetch of a consumer, and what is pushed beside a killer is counted with it.
   */
  async #widen(): Promise<void> {
    const { prefetch } = this.#options;
    const channel = this.#channel;
    if (channel === null || this.#tags.length !== 1 || prefetch === 1) return;
    const consumerTag = this.#nextTag();
    this.#tags = [...this.#tags, consumerTag];
    await channel.limit(prefetch - 1);
    await channel.consume(this.source.queue, { consumerTag });
  }

  /**
   * Another one for each consumer of a channel: of one that was cancelled and comes again by its name, a quorum queue counts what it still
   * has in hand, and pushes it nothing while that is all of its prefetch.
   */
  #nextTag(): string {
    const { consumer } = this.#options;
    return this.#consumers++ === 0 ? consumer : `${consumer} ${this.#consumers}`;
  }

  #arrived(delivery: Delivery): void {
    const { ordered, prefetch, onReady } = this.#options;
    if (!ordered && !this.#isWide && prefetch > 1 && !isSuspect(delivery)) {
      this.#isWide = true;
      void this.#next(() => this.#widen());
    }
    this.#hasBrought = true;
    this.#waiting.push(delivery);
    if (this.#wanted) onReady();
  }

  /** The channel is gone with all that it brought. */
  #lost(): void {
    const handed = [...this.#inHand];
    this.#forget();
    if (handed.length > 0) this.#options.onLost(handed);
  }

  #forget(): void {
    this.#channel = null;
    this.#tags = [];
    this.#hasBrought = false;
    this.#waiting.length = 0;
    this.#inHand.removeAll();
    this.#whenEmpty?.();
  }

  /** Unordered alone: nothing more is pushed, and what nobody has taken goes back. What is in hand stays. */
  async #cancel(): Promise<void> {
    if (this.#options.ordered) return;
    await this.#cancelConsumers();
    for (const delivery of this.#waiting.splice(0)) delivery.nack(true);
  }

  /** Unordered alone: everything in its old order, in hand or not. What nobody looked at is not counted, where that can be. */
  async #giveAllBack(): Promise<void> {
    await this.#cancelConsumers();
    const inHand = [...this.#inHand].map(({ delivery }) => ({ delivery, counts: true }));
    const waiting = this.#waiting.splice(0).map((delivery) => ({ delivery, counts: false }));
    const all = [...inHand, ...waiting].sort((one, other) => one.delivery.tag - other.delivery.tag);
    for (const { delivery, counts } of all) {
      if (counts) delivery.reject(true);
      else delivery.nack(true);
    }
  }

  /** The broker has handled all acks when it has answered. */
  async #cancelConsumers(): Promise<void> {
    const tags = this.#tags;
    this.#tags = [];
    for (const tag of tags) await this.#channel?.cancel(tag);
  }

  async #shut(): Promise<void> {
    const kept = this.#kept;
    if (kept !== null) await this.#settleDown().catch(() => {});
    this.#kept = null;
    this.#forget();
    await kept?.close();
  }

  /**
   * Until every ack that was written is certain: a quorum queue's channel holds back acks while 32 of its commands are
   * under way, and drops those when it is closed (measured: of 50 acks before a close, 2 came again). Whatever goes
   * through the queue's log comes after what was sent before, and the second of two after what the first let go.
   */
  async #settleDown(): Promise<void> {
    if (!this.#options.ordered) return this.#giveAllBack();
    const channel = this.#channel;
    if (channel === null || this.#tags.length === 0) return;
    const consumerTag = `${this.#options.consumer} last`;
    // A consumer that is never active: ours is before it in the line.
    await channel.consume(this.source.queue, { consumerTag });
    await channel.cancel(consumerTag);
  }
}

function isSuspect({ message }: Delivery): boolean {
  return redeliveriesOf(message) > suspectAfterRedeliveries;
}
