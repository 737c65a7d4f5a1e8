import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type Clock,
  type DriverSubscription,
  type Logger,
  type Received,
  Refusal,
  type Settlement,
  type SettleResult,
  type SubscribeOptions,
  sleep,
} from '../driver.js';
import { atMost } from './at-most.js';
import { wordsOf } from './connection/index.js';
import { consumerTag } from './consumer-tag.js';
import { Feed, type FeedOptions, type Handed } from './feed.js';
import { LaneSharing } from './lane-sharing.js';
import { decodeCounts, decodeMessage, decodingFault } from './message-coding.js';
import type { Settling } from './settling.js';

/** How long stopping waits for a broker that does not answer. What is in hand comes again when its channels are gone. */
const orderlyEndMs = 3_000;

/** How long lanes may take until they flow, where there are suspects. */
const lineUpMs = 1_000;

/** And how long their first messages may take then. */
const firstMessageMs = 100;

/**
 * How many are handed over in one go: the acks of the first leave while the rest is worked on, and the broker sends on meanwhile, instead of
 * waiting for all of a prefetch. Measured at prefetch 256: 0.75 of raw amqplib without, 0.81 with 64, 0.87 with 48, 0.67 with 24.
 */
const mostAtOnce = 64;

export interface SubscriptionContext {
  readonly clock: Clock;
  readonly settling: Settling;
  /** The queues of the group, one per lane. */
  readonly queues: readonly string[];
  readonly ordered: boolean;
  /** Where the readers of the group are counted. */
  readonly attendance: string;
  readonly logger: Logger;
  readonly feed: Pick<FeedOptions, 'link' | 'onMissing' | 'untilHeard'>;
  /** Its queues had been deleted, and it reads again. */
  readonly onRestored: () => void;
  readonly onClosed: (subscription: AmqpSubscription) => void;
}

/** See `DriverSubscription`. The broker pushes; what is pushed waits in feeds until somebody receives. */
export class AmqpSubscription implements DriverSubscription {
  /** The channel is the lease. */
  readonly lease = null;
  readonly #options: SubscribeOptions;
  readonly #context: SubscriptionContext;
  readonly #feeds: readonly Feed[];
  /** Null where there is nothing to share. */
  readonly #sharing: LaneSharing | null;
  /** Ends the wait of a `receive`. Not a signal: aborting one makes an error with its stack, a quarter of all that receiving took. */
  #wake: () => void = () => {};
  #signal: AbortSignal | null = null;
  #isReceiving = false;
  #isAwaited = false;
  #paused = false;
  #isLinedUp = false;
  #firstFeed = 0;
  #closing: Promise<void> | null = null;

  constructor(options: SubscribeOptions, context: SubscriptionContext) {
    const { topic, group, consumer, prefetch, onLost } = options;
    const { queues, ordered, feed } = context;
    this.#options = options;
    this.#context = context;
    this.#feeds = queues.map(
      (queue, lane) =>
        new Feed({
          ...feed,
          source: { queue, topic, group },
          ordered,
          prefetch: Math.max(1, Math.ceil(prefetch / queues.length)),
          consumer: consumerTag(consumer, ordered ? lane : null),
          onReady: () => this.#wake(),
          onLost,
          onRestored: () => {
            if (!this.#feeds.some(({ isCutOff }) => isCutOff)) this.#context.onRestored();
          },
          isAwaited: () => this.#isAwaited,
        }),
    );
    this.#sharing = ordered && queues.length > 1 ? this.#shareLanes() : null;
  }

  #shareLanes(): LaneSharing {
    const { consumer } = this.#options;
    const { clock, logger, attendance, feed } = this.#context;
    const name = consumerTag(`${consumer}.reader`, null);
    return new LaneSharing({ link: feed.link, clock, logger, queue: attendance, consumer: name, lanes: this.#feeds });
  }

  /** A lane that gets no consumer, because the broker allows no more channels, is read by nobody. */
  get trouble(): string | null {
    const absences = this.#feeds.map(({ absence }) => absence).filter((absence) => absence !== null);
    const [first] = absences;
    if (first === undefined) return null;
    const { length } = this.#feeds;
    const what = length === 1 ? 'its queue is' : `${absences.length} of its ${length} lanes are`;
    return `${what} not read: ${wordsOf(first)}`;
  }

  get topic(): string {
    return this.#options.topic;
  }

  get group(): string {
    return this.#options.group;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Nothing is handed out, and what was pushed goes back; or all of it comes again. */
  heed(paused: boolean): void {
    if (paused === this.#paused || this.#closing !== null) return;
    this.#paused = paused;
    if (paused) void this.#stop();
    else if (this.#isReceiving && this.#signal?.aborted === false) this.#startFeeds();
    this.#wake();
    this.#options.onPaused?.(paused);
  }

  async receive(max: number, waitMs: number, signal: AbortSignal): Promise<readonly Received[]> {
    if (this.#closing !== null) {
      throw new Refusal('closed', `subscription "${this.#options.consumer}" is closed`, 'subscribe again');
    }
    this.#signal = signal;
    this.#isReceiving = true;
    try {
      return await this.#receive(max, waitMs, signal);
    } finally {
      this.#isReceiving = false;
    }
  }

  async #receive(wanted: number, waitMs: number, signal: AbortSignal): Promise<readonly Received[]> {
    const { clock } = this.#context;
    const max = Math.min(wanted, mostAtOnce);
    const untilMs = clock.now() + waitMs;
    if (!signal.aborted && !this.#paused) this.#startFeeds();
    while (this.#closing === null) {
      if (signal.aborted) {
        await atMost(orderlyEndMs, this.#stop(), clock);
        return [];
      }
      if (this.#waiting > 0 && !this.#paused) {
        await this.#gather(max);
        if (this.#feeds.some((feed) => feed.beginsWithSuspect)) await this.#lineUp(signal);
        if (signal.aborted || this.#paused || this.#closing !== null) continue;
        const received = this.#take(max);
        if (received.length > 0) return received;
      }
      const trouble = this.#feeds.find((feed) => feed.trouble !== null)?.trouble;
      if (trouble) throw trouble;
      const leftMs = untilMs - clock.now();
      if (leftMs <= 0) return [];
      await this.#idle(leftMs, signal);
    }
    return [];
  }

  async settle(batch: readonly Settlement[]): Promise<readonly SettleResult[]> {
    // Between two calls nobody listens to it: what was pushed since the last one goes back now.
    if (this.#signal?.aborted) void this.#stop();
    return this.#context.settling.settle(batch);
  }

  /** How many this reader of the group was pushed that it has not received. */
  waitingIn(topic: string, group: string): number {
    if (topic !== this.#options.topic || group !== this.#options.group) return 0;
    return this.#waiting;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    this.#wake();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const ended = Promise.all([this.#sharing?.stop(), ...this.#feeds.map((feed) => feed.close())]);
    await atMost(orderlyEndMs, ended, this.#context.clock);
    this.#context.onClosed(this);
  }

  #startFeeds(): void {
    for (const feed of this.#feeds) feed.start();
    this.#sharing?.start();
  }

  async #stop(): Promise<void> {
    await Promise.all([this.#sharing?.stop(), ...this.#feeds.map((feed) => feed.stop())]);
  }

  /**
   * Lets every lane show what it has, once: otherwise the killer's may be the fastest each time, and those that are
   * pushed beside it in other lanes are counted and never started.
   */
  async #lineUp(signal: AbortSignal): Promise<void> {
    if (this.#isLinedUp) return;
    this.#isLinedUp = true;
    const { clock } = this.#context;
    const untilMs = clock.now() + lineUpMs;
    while (clock.now() < untilMs && !this.#feeds.every((feed) => feed.flows)) await sleep(clock, 10, signal);
    await sleep(clock, firstMessageMs, signal);
  }

  get #waiting(): number {
    return this.#feeds.reduce((sum, feed) => sum + feed.waiting, 0);
  }

  /** Lets the rest of what the broker sends at once arrive, so that a full buffer is handed out as one. */
  async #gather(max: number): Promise<void> {
    for (let before = 0; before < this.#waiting && this.#waiting < max; ) {
      before = this.#waiting;
      await nextTurn();
    }
  }

  /** Until something comes, the time is up, or somebody ends it. To be called in the turn that found nothing. */
  #idle(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        signal.removeEventListener('abort', end);
        this.#wake = () => {};
        this.#isAwaited = false;
        resolve();
      };
      const cancel = this.#context.clock.schedule(end, ms);
      signal.addEventListener('abort', end, { once: true });
      this.#wake = end;
      this.#isAwaited = true;
    });
  }

  /** From each lane in turn, beginning with another one each time. */
  #take(max: number): readonly Received[] {
    const handed: Handed[] = [];
    const { length } = this.#feeds;
    for (let n = 0; n < length && handed.length < max; n++) {
      handed.push(...(this.#feeds[(this.#firstFeed + n) % length] as Feed).take(max - handed.length));
    }
    this.#firstFeed = (this.#firstFeed + 1) % length;
    return handed.map((one) => this.#received(one));
  }

  #received(handed: Handed): Received {
    const { message } = handed.delivery;
    return {
      receipt: handed,
      message: decodeMessage(this.#options.topic, message),
      counts: decodeCounts(message),
      redeliveries: handed.redeliveries,
      fault: decodingFault(message),
    };
  }
}
