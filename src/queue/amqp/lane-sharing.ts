import { type Clock, type Logger, sleep } from '../driver.js';
import { type KeptConsumer, type Link, replyCodeOf } from './connection/index.js';
import type { Feed } from './feed.js';
import { lanesToHandOver } from './lanes-to-hand-over.js';

export interface LaneSharingOptions {
  readonly link: Link;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The queue that all readers of the group consume from. */
  readonly queue: string;
  /** Unique, for the broker's tools. */
  readonly consumer: string;
  readonly lanes: readonly Feed[];
}

/** What the broker says to who has no right. */
const accessRefused = 403;

/** How often the readers are counted: soon after their number has changed, ever more seldom while it has not. */
const soonestMs = 1_000;
const latestMs = 8_000;

/**
 * While the number of readers stays the same, a reader pauses after each hand-over, twice as long as before. Were a reader
 * counted that is dead and not known to be, the others would pass the lane that should be its own round and round.
 */
const longestPauseMs = 60_000;

/** How long a lane may stand still for what is in hand to be settled. */
const drainMs = 2_000;

/**
 * Shares the lanes of a group out over its readers, whoever came first. All are in the line of every lane, and the broker
 * gives it to the first in line; who has more than its share lets go of the rest. How many they are is the number of consumers of a
 * queue that nobody sends to: the broker takes a dead reader out of it with its connection.
 */
export class LaneSharing {
  readonly #options: LaneSharingOptions;
  #kept: KeptConsumer | null = null;
  #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: LaneSharingOptions) {
    this.#options = options;
  }

  /** Called again, nothing happens. */
  start(): void {
    if (this.#kept !== null) return;
    const { link, queue, consumer } = this.#options;
    this.#stopping = new AbortController();
    this.#kept = link.keepConsuming({
      what: `the consumer of queue "${queue}"`,
      prefetch: 1,
      setup: async (channel) => {
        if (await this.#declare()) await channel.consume(queue, { consumerTag: consumer });
      },
      // Nobody sends to it.
      onDelivery: (delivery) => delivery.ack(),
      onLost: () => {},
    });
    this.#running = this.#share(this.#stopping.signal);
  }

  /** No longer counted; what it has is for its owner to let go. Called again, nothing happens. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const kept = this.#kept;
    this.#kept = null;
    await Promise.all([kept?.close(), this.#running]);
  }

  /** False where this user may not. */
  async #declare(): Promise<boolean> {
    const { link, queue, logger } = this.#options;
    // Gone with its last consumer, and so with its group. Classic: quorum queues cannot go by themselves.
    const options = { durable: true, autoDelete: true, arguments: { 'x-queue-type': 'classic' } };
    try {
      await link.withChannel(`declare queue "${queue}"`, (channel) => channel.assertQueue(queue, options));
      return true;
    } catch (error) {
      if (replyCodeOf(error) !== accessRefused) throw error;
      logger.info({ queue }, 'lanes are not shared out: that takes the right to configure this queue');
      this.#stopping.abort();
      return false;
    }
  }

  async #share(stopped: AbortSignal): Promise<void> {
    const { clock, lanes } = this.#options;
    let readers = 1;
    let everyMs = soonestMs;
    let pauseMs = soonestMs;
    let notBefore = clock.now();
    while (!stopped.aborted) {
      await sleep(clock, everyMs * (0.75 + Math.random() / 2), stopped);
      if (stopped.aborted) return;
      everyMs = Math.min(latestMs, everyMs * 2);
      const counted = await this.#count();
      if (counted === null) continue;
      if (counted !== readers) {
        readers = counted;
        everyMs = soonestMs;
        pauseMs = soonestMs;
        notBefore = clock.now();
      }
      const excess = lanesToHandOver(lanes, readers);
      if (excess.length === 0 || stopped.aborted || clock.now() < notBefore) continue;
      await Promise.all(excess.map((index) => lanes[index]?.handOver(clock, drainMs)));
      everyMs = soonestMs;
      notBefore = clock.now() + pauseMs;
      pauseMs = Math.min(longestPauseMs, pauseMs * 2);
    }
  }

  /** How many readers there are; null while that cannot be known, and then nothing is handed over. */
  async #count(): Promise<number | null> {
    const { link, queue, logger } = this.#options;
    if (this.#kept?.channel == null) return null;
    try {
      const { consumerCount } = await link.withChannel(`count the readers at queue "${queue}"`, (channel) =>
        channel.checkQueue(queue),
      );
      return consumerCount;
    } catch (error) {
      if (replyCodeOf(error) !== 404) logger.warn({ error }, 'lanes are not shared out: the readers cannot be counted');
      return null;
    }
  }
}
