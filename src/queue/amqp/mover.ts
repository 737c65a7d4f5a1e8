import { setMaxListeners } from 'node:events';
import { type Clock, type Logger, sleep } from '../driver.js';
import { atMost } from './at-most.js';
import { type BrokerTime, handedOverAt } from './broker-time.js';
import type { Catalogue } from './catalogue.js';
import { groupIn } from './catalogue-content.js';
import {
  type ConsumingChannel,
  classify,
  type Delivery,
  type KeptConsumer,
  type Link,
  type Publication,
} from './connection/index.js';
import { shortestQueueMs } from './delay-parts.js';
import type { Delays } from './delays.js';
import { type Destination, type Hop, hopOf } from './destination.js';
import type { DurabilityGate } from './durability-gate.js';
import { header } from './headers.js';
import { encodeLetter } from './letter-coding.js';
import { listenToChanges } from './listen-to-changes.js';
import { copyOf, decodeCounts, type EncodedMessage } from './message-coding.js';
import type { Names } from './names.js';
import type { Objects } from './objects.js';

/** What one mover has in hand: what waits its last 100 ms, and what is not confirmed yet. Nothing to do with anybody's prefetch. */
const moverPrefetch = 1_000;

/** What cannot be delivered now (its queue is full, the broker takes nothing) is tried again after this. */
const retryAfterMs = 1_000;

/** The broker closes a channel when an exchange is gone, and with it what others publish there: those go on over the next one. */
const triesAtOnce = 4;

/** How long a mover that ends waits for its last confirms. */
const lastMovesMs = 5_000;

export interface MoverOptions {
  readonly link: Link;
  readonly names: Names;
  readonly objects: Objects;
  readonly catalogue: Catalogue;
  readonly delays: Delays;
  readonly gate: DurabilityGate;
  readonly time: BrokerTime;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Unique, for the broker's tools. */
  readonly consumer: string;
}

/**
 * Delivers what falls due: drains the queue that all delay queues lead to. Every process that consumes has one, and they
 * compete. A message is acked when it is confirmed where it belongs, so that a mover that dies leaves at most a duplicate.
 */
export class Mover {
  readonly #options: MoverOptions;
  readonly #closing = new AbortController();
  /** What is being delivered now. */
  readonly #moving = new Set<Promise<void>>();
  #kept: KeptConsumer | null = null;
  /** Nobody tells this one of changes. */
  #isDeaf = false;

  constructor(options: MoverOptions) {
    this.#options = options;
    setMaxListeners(0, this.#closing.signal); // one per message that waits here
  }

  /** Called again, nothing happens. */
  start(): void {
    if (this.#kept !== null || this.#closing.signal.aborted) return;
    const { link, names } = this.#options;
    this.#kept = link.keepConsuming({
      what: `the mover of queue "${names.due}"`,
      prefetch: moverPrefetch,
      setup: (channel) => this.#setUp(channel),
      onDelivery: (delivery) => this.#take(delivery),
      // It comes again, to whichever mover.
      onLost: () => {},
    });
  }

  /** What has been published is acked before it ends, so that nothing comes twice; what waits here goes back. */
  async close(): Promise<void> {
    this.#closing.abort();
    const { clock } = this.#options;
    const channel = this.#kept?.channel ?? null;
    await channel?.cancel(this.#tag).catch(() => {});
    await atMost(lastMovesMs, Promise.all(this.#moving), clock);
    await this.#kept?.close();
  }

  get #tag(): string {
    return `${this.#options.consumer}.mover`;
  }

  async #setUp(channel: ConsumingChannel): Promise<void> {
    const { link, names, objects, catalogue, time, logger } = this.#options;
    await objects.declareBase();
    await this.#listen(channel);
    await catalogue.refresh();
    // Without it, parts of delays that passed while nobody ran are waited for again: late, and nothing worse.
    await time
      .probe(link)
      .catch((error: unknown) => logger.warn({ error }, "the broker's time could not be found out"));
    await channel.consume(names.due, { consumerTag: this.#tag });
  }

  /** Whoever changes what is declared tells the movers: they must know which groups are gone. */
  async #listen(channel: ConsumingChannel): Promise<void> {
    const { link, names, consumer, logger } = this.#options;
    this.#isDeaf = (await listenToChanges(channel, { link, names, consumerTag: `${consumer}.changes` })) === null;
    if (this.#isDeaf)
      logger.warn({}, 'this user may not declare a queue to hear of changes with; looking each time instead');
  }

  #take(delivery: Delivery): void {
    if (delivery.message.fields.exchange === this.#options.names.changes) {
      this.#options.catalogue.outdate();
      delivery.ack();
    } else if (Object.hasOwn(delivery.message.properties.headers ?? {}, header.probe)) {
      delivery.ack();
    } else {
      // Nobody waits for it but a close: what it rejected with would end the process, and the next one that gets the message.
      const move = this.#move(delivery)
        .catch((error: unknown) => this.#options.logger.warn({ error }, 'what fell due cannot be looked at; it stays'))
        .finally(() => this.#moving.delete(move));
      this.#moving.add(move);
    }
  }

  async #move(delivery: Delivery): Promise<void> {
    const { clock, logger } = this.#options;
    const message = copyOf(delivery.message, decodeCounts(delivery.message));
    const hop = hopOf(delivery.message.properties.headers ?? {});
    const leftMs = hop === null ? 0 : this.#leftOf(hop, delivery);
    const dueAt = clock.now() + leftMs;
    for (let tries = 1; delivery.held && !this.#closing.signal.aborted; tries++) {
      try {
        if (hop === null) await this.#lose(message, nowhere, ['']);
        else await this.#goOn(message, hop.destination, dueAt);
        delivery.ack();
        return;
      } catch (error) {
        if (!delivery.held || this.#closing.signal.aborted) return;
        const { code } = classify(error);
        if (tries < triesAtOnce && code === 'unavailable') continue;
        logger.warn({ code, topic: hop?.destination.topic }, 'what fell due could not be delivered; trying again');
        if (hop !== null && (await this.#putOff(delivery, message, hop.destination))) return;
        await sleep(clock, retryAfterMs, this.#closing.signal);
      }
    }
  }

  /** Without what has passed since its last queue handed it over, which may have been when no process ran. */
  #leftOf({ restMs }: Hop, { message }: Delivery): number {
    const { time } = this.#options;
    const at = handedOverAt(message.properties.headers ?? {});
    if (at === null) return restMs;
    time.saw(at);
    return Math.max(0, restMs - time.passedSince(at));
  }

  async #goOn(message: EncodedMessage, destination: Destination, dueAt: number): Promise<void> {
    const { clock, delays } = this.#options;
    const leftMs = Math.ceil(dueAt - clock.now());
    if (leftMs >= shortestQueueMs && delays.fits(leftMs)) return delays.send(message, { restMs: leftMs, destination });
    if (leftMs > 0) await sleep(clock, leftMs, this.#closing.signal);
    // Not delivered early: it goes back to where it was, with the channel.
    if (this.#closing.signal.aborted) throw new Error('the mover is closed');
    return this.#deliver(message, destination);
  }

  async #deliver(message: EncodedMessage, destination: Destination): Promise<void> {
    const { link, catalogue, gate } = this.#options;
    const { exchange, routingKey, topic, groups } = destination;
    const { body, properties } = message;
    // The exchange tells of nobody that is missing as long as somebody is there. Looked up before, so that what fails
    // has not been delivered yet.
    if (this.#isDeaf) catalogue.outdate();
    const content = exchange === '' ? null : await catalogue.upToDate();
    const gone = content === null ? [] : groups.filter((group) => groupIn(content, topic, group) === null);
    try {
      // Not among what callers publish: the exchange may be gone, and the broker then closes the channel.
      await link.publishInBackground({ exchange, routingKey, body, properties });
      const way = exchange === '' ? routingKey : exchange;
      if (!gate.isDurable(way)) await gate.untilDurable([way]);
    } catch (error) {
      const { code } = classify(error);
      if (code !== 'unroutable' && code !== 'not-found') throw error;
      return this.#lose(message, destination, groups);
    }
    if (gone.length > 0) await this.#lose(message, destination, gone);
  }

  /** A letter for each group that does not get it. */
  async #lose(message: EncodedMessage, { topic }: Destination, groups: readonly string[]): Promise<void> {
    const { names, time } = this.#options;
    for (const group of groups) {
      const burial = { topic, group, death: null, expireAfterMs: null, buriedAt: time.now() };
      const { body, properties } = encodeLetter(message, burial);
      await this.#keep({ exchange: '', routingKey: names.lost, body, properties });
    }
  }

  async #keep(letter: Publication): Promise<void> {
    const { link, names, objects, gate } = this.#options;
    try {
      await link.publish(letter);
    } catch (error) {
      if (classify(error).code !== 'unroutable') throw error;
      // Somebody deleted the lost letters.
      await objects.declareBase();
      await link.publish(letter);
    }
    if (!gate.isDurable(names.lost)) await gate.untilDurable([names.lost]);
  }

  /** Through a queue again, so that what cannot be delivered does not fill this mover's hands. */
  async #putOff(delivery: Delivery, message: EncodedMessage, destination: Destination): Promise<boolean> {
    try {
      await this.#options.delays.send(message, { restMs: retryAfterMs, destination });
    } catch {
      return false;
    }
    delivery.ack();
    return true;
  }
}

/** Of what somebody else put into our queue. */
const nowhere: Destination = { exchange: '', routingKey: '', topic: '', groups: [] };
