import { type Clock, type Logger, Refusal, sleep } from '../driver.js';
import type { Catalogue } from './catalogue.js';
import { withDelays } from './catalogue-content.js';
import { classify, type Link } from './connection/index.js';
import { exactPart, firstPart } from './delay-parts.js';
import { type Hop, withHop } from './destination.js';
import type { DurabilityGate } from './durability-gate.js';
import type { EncodedMessage } from './message-coding.js';
import type { Names } from './names.js';
import type { Objects } from './objects.js';

/** So many exact queues are declared in one go: the broker makes 80 to 138 a second, and then nothing else. */
const learntAtOnce = 8;

/** Between two of those, so that messages that fall due meanwhile are not late for them. */
const restBetweenMs = 200;

export interface DelaysOptions {
  readonly link: Link;
  readonly names: Names;
  readonly objects: Objects;
  readonly catalogue: Catalogue;
  readonly gate: DurabilityGate;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Sends messages on their way through the queues of delays. Uses those that are durable, and has the exact one
 * declared in the background, so that nobody waits for it.
 */
export class Delays {
  readonly #options: DelaysOptions;
  readonly #durableMs = new Set<number>();
  readonly #wanted = new Set<number>();
  /** Declared, and not durable yet. */
  readonly #ripening = new Set<number>();
  /** There, and take nothing. */
  readonly #unresponsive = new Set<number>();
  /** Of the catalogue, as it was when its delays were taken over. */
  #known: readonly number[] = [];
  #learning: Promise<void> | null = null;
  #closed = false;
  /** Whether this user may declare queues, as far as the broker has not said otherwise. */
  #mayLearn = true;

  constructor(options: DelaysOptions) {
    this.#options = options;
  }

  /** The next hop of a message that waits `hop.restMs` from now. Resolves when it is confirmed. */
  async send(message: EncodedMessage, hop: Hop): Promise<void> {
    this.#know(this.#options.catalogue.seen.delaysMs);
    const { names, objects } = this.#options;
    for (let tries = 1; ; tries++) {
      const part = firstPart(hop.restMs, this.#durableMs);
      const exact = exactPart(hop.restMs);
      if (exact !== null && exact !== part) this.#learn(exact);
      const queue = part === null ? names.due : names.delay(part);
      try {
        return await this.#publish(queue, withHop(message, { ...hop, restMs: hop.restMs - (part ?? 0) }));
      } catch (error) {
        if (tries > 3 || classify(error).code !== 'unroutable') throw error;
        // Somebody deleted it.
        if (part === null) await this.#options.gate.untilDurable(await objects.declareBase());
        else this.#durableMs.delete(part);
      }
    }
  }

  /** Whether there is a queue for a part of it. */
  fits(delayMs: number): boolean {
    this.#know(this.#options.catalogue.seen.delaysMs);
    return firstPart(delayMs, this.#durableMs) !== null;
  }

  #know(delaysMs: readonly number[]): void {
    if (delaysMs === this.#known) return;
    this.#known = delaysMs;
    for (const ms of delaysMs) this.#durableMs.add(ms);
  }

  /** Nothing more is declared. Resolves when nothing is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wanted.clear();
    await this.#learning;
  }

  #publish(queue: string, { body, properties }: EncodedMessage): Promise<void> {
    return this.#options.link.publish({ exchange: '', routingKey: queue, body, properties });
  }

  #learn(delayMs: number): void {
    if (this.#closed || !this.#mayLearn || this.#ripening.has(delayMs) || this.#unresponsive.has(delayMs)) return;
    this.#wanted.add(delayMs);
    this.#learning ??= this.#declareWanted().finally(() => {
      this.#learning = null;
    });
  }

  async #declareWanted(): Promise<void> {
    const { catalogue, clock, logger } = this.#options;
    const learnt: number[] = [];
    while (this.#mayGoOn) {
      const ripening: Promise<readonly number[]>[] = [];
      while (this.#mayGoOn) {
        const some = [...this.#wanted].slice(0, learntAtOnce);
        for (const ms of some) this.#wanted.delete(ms);
        for (const ms of some) this.#ripening.add(ms);
        const doubtful = await this.#declare(some);
        if (doubtful === null) this.#forget(some);
        else ripening.push(this.#ripen(some, doubtful));
        if (this.#mayGoOn) await sleep(clock, restBetweenMs);
      }
      learnt.push(...(await Promise.all(ripening)).flat());
    }
    if (this.#closed || learnt.length === 0) return;
    await catalogue
      .change((content) => withDelays(content, learnt))
      .catch((error: unknown) => logger.warn({ error }, 'the catalogue was not told of new delay queues'));
  }

  get #mayGoOn(): boolean {
    return this.#wanted.size > 0 && !this.#closed && this.#mayLearn;
  }

  /** Answers which of them were there before; null where they could not be declared. */
  async #declare(some: readonly number[]): Promise<readonly number[] | null> {
    const { objects, logger } = this.#options;
    try {
      return await objects.declareDelays(some);
    } catch (error) {
      if (classify(error).code === 'denied' || (error instanceof Refusal && error.code === 'denied'))
        this.#mayLearn = false;
      // The sums of what there is will do until somebody asks again.
      if (!this.#closed) logger.warn({ error, delaysMs: some }, 'queues for delays could not be declared');
      return null;
    }
  }

  /** Waits until they are durable and answers which of them are used from now on. */
  async #ripen(some: readonly number[], doubtful: readonly number[]): Promise<readonly number[]> {
    const { objects, gate, names, logger } = this.#options;
    try {
      await gate.untilDurable(some.map((ms) => names.delay(ms)));
      const unresponsive = await objects.unresponsive(doubtful);
      for (const ms of unresponsive) this.#unresponsive.add(ms);
      const learnt = some.filter((ms) => !unresponsive.includes(ms));
      for (const ms of learnt) this.#durableMs.add(ms);
      if (unresponsive.length > 0) {
        const queues = unresponsive.map((ms) => names.delay(ms));
        logger.warn(
          { queues },
          'these queues are there and take nothing; they are done without. Delete them to have them made again',
        );
      }
      return learnt;
    } catch (error) {
      // Most likely the broker is gone. Declared once more when somebody asks again.
      if (!this.#closed) logger.warn({ error, delaysMs: some }, 'queues for delays are not used yet');
      return [];
    } finally {
      this.#forget(some);
    }
  }

  #forget(some: readonly number[]): void {
    for (const ms of some) this.#ripening.delete(ms);
  }
}
