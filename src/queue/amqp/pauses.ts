import { randomUUID } from 'node:crypto';
import type { Channel } from 'amqplib';
import { type Clock, type Logger, noGroup, noTopic, Refusal, sleep } from '../driver.js';
import type { Catalogue } from './catalogue.js';
import { type CatalogueContent, groupIn, shapeIn, withGroup } from './catalogue-content.js';
import { type ConsumingChannel, classify, type Delivery, type KeptConsumer, type Link } from './connection/index.js';
import { listenToChanges } from './listen-to-changes.js';
import { demandPausable } from './mapped/demand-pausable.js';
import type { Names } from './names.js';
import type { Objects } from './objects.js';

/** How long the processes that read may take to say that they have stopped. */
const patienceMs = 10_000;

/** How long one round of asking waits for answers: then who was cut off is asked again. */
const roundMs = 500;

/** Who is told of pauses: a subscription. */
export interface PauseListener {
  readonly topic: string;
  readonly group: string;
  readonly paused: boolean;
  heed(paused: boolean): void;
}

/** What a notice says. `version` is that of the catalogue that has the change. */
interface Notice {
  readonly version: number;
  readonly round: number;
}

export interface PausesOptions {
  readonly link: Link;
  readonly names: Names;
  readonly objects: Objects;
  readonly catalogue: Catalogue;
  readonly clock: Clock;
  readonly logger: Logger;
  /** For the broker's tools. */
  readonly consumer: string;
}

/**
 * Groups that are paused. The mark is in the catalogue; each process that reads hears of a change by a notice, and answers
 * when its readers have stopped. How many processes read, the number of consumers of a queue says in which there never is a message.
 */
export class Pauses {
  readonly #options: PausesOptions;
  readonly #listeners = new Set<PauseListener>();
  /** Who answers: connections of one process may have the same name. */
  readonly #reader = randomUUID();
  #kept: KeptConsumer | null = null;
  #closed = false;

  constructor(options: PausesOptions) {
    this.#options = options;
  }

  /** Tells the listener what is known, and from then on what changes. Answers a function that ends it. */
  join(listener: PauseListener): () => void {
    this.#start();
    this.#listeners.add(listener);
    this.#tell([listener]);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Resolves while this process hears of pauses, and its listeners know of all there were: only then may anything be
   * consumed. Rejects when it could not be made to.
   */
  async heard(): Promise<void> {
    this.#start();
    await this.#kept?.ready();
  }

  /** Resolves when every process that reads has answered. Rejects with an `unsupported` refusal where the queue would go with its consumers. */
  async pause(topic: string, group: string): Promise<void> {
    const { link, objects, catalogue } = this.#options;
    const { version } = await catalogue.change((content) => withPaused(content, topic, group, true));
    await objects.declareReaders();
    await link.withChannel(`pause group "${group}" of "${topic}"`, async (channel) => {
      const missing = await this.#untilAnswered(channel, version);
      if (missing > 0) throw notHeeded(topic, group, missing);
    });
  }

  async resume(topic: string, group: string): Promise<void> {
    const { catalogue } = this.#options;
    const { version } = await catalogue.change((content) => withPaused(content, topic, group, false));
    // Also where nothing changed: who called before may have been cut off before anybody was told.
    await this.#notify({ version, round: 0 }, null);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#kept?.close();
  }

  #start(): void {
    if (this.#kept !== null || this.#closed) return;
    this.#kept = this.#options.link.keepConsuming({
      what: 'the consumer of notices',
      prefetch: 100,
      setup: (channel) => this.#setUp(channel),
      onDelivery: (delivery) => void this.#hear(delivery),
      // Whatever it missed, the catalogue says when it listens again.
      onLost: () => {},
    });
  }

  /** It listens, then is counted, then looks: whoever counted without it had changed the catalogue before that look. */
  async #setUp(channel: ConsumingChannel): Promise<void> {
    const { link, names, catalogue, consumer, logger } = this.#options;
    const isDeaf = (await listenToChanges(channel, { link, names, consumerTag: `${consumer}.notices` })) === null;
    if (isDeaf) logger.warn({}, 'this user may not declare a queue to hear of pauses with: whoever pauses is told so');
    await this.#beCounted(channel);
    await catalogue.refresh();
    this.#tell(this.#listeners);
  }

  /** Also if it is deaf: then whoever pauses waits for its answer in vain, and knows. */
  async #beCounted(channel: ConsumingChannel): Promise<void> {
    const { names, objects, consumer, logger } = this.#options;
    try {
      await objects.declareReaders();
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== 'denied') throw error;
      logger.warn(
        { queue: names.readers },
        'this user may not declare what readers are counted by: nobody knows that it reads',
      );
      return;
    }
    await channel.consume(names.readers, { consumerTag: `${consumer}.reads` });
  }

  async #hear(delivery: Delivery): Promise<void> {
    const { link, catalogue } = this.#options;
    const { replyTo } = delivery.message.properties as { readonly replyTo?: unknown };
    const notice = noticeIn(delivery.message.content);
    delivery.ack();
    try {
      // One without a text says that something was removed: a group that comes back flows.
      const isNews = notice === null ? this.#isAnyPaused : catalogue.seen.version < notice.version;
      if (isNews) await catalogue.refresh();
      this.#tell(this.#listeners);
      if (notice === null || typeof replyTo !== 'string') return;
      const body = Buffer.from(JSON.stringify({ round: notice.round, reader: this.#reader }));
      await link.publish({ exchange: '', routingKey: replyTo, body, properties: {} });
    } catch {
      // Who asked asks again, and when this process listens anew it looks.
    }
  }

  get #isAnyPaused(): boolean {
    return [...this.#listeners].some(({ paused }) => paused);
  }

  #tell(listeners: Iterable<PauseListener>): void {
    const content = this.#options.catalogue.seen;
    for (const each of listeners) each.heed(groupIn(content, each.topic, each.group)?.paused ?? false);
  }

  /** Round after round, until everybody has answered in one of them. Answers how many had not when the time was up. */
  async #untilAnswered(channel: Channel, version: number): Promise<number> {
    const { names, clock } = this.#options;
    const { queue: answers } = await channel.assertQueue(names.listener(randomUUID()), {
      exclusive: true,
      durable: false,
    });
    const readers = async (): Promise<number> => (await channel.checkQueue(names.readers)).consumerCount;
    const untilMs = clock.now() + patienceMs;
    for (let round = 1; ; round++) {
      const before = await readers();
      await this.#notify({ version, round }, answers);
      const answered = await this.#gather(channel, answers, round, before);
      const missing = Math.max(before, await readers()) - answered;
      if (missing <= 0 || clock.now() > untilMs) {
        await channel.deleteQueue(answers);
        return Math.max(0, missing);
      }
    }
  }

  /** How many have answered in this round: `expected`, or those who did in time. */
  async #gather(channel: Channel, answers: string, round: number, expected: number): Promise<number> {
    const { clock } = this.#options;
    const answered = new Set<string>();
    const untilMs = clock.now() + roundMs;
    while (answered.size < expected) {
      const message = await channel.get(answers, { noAck: true });
      if (message === false) {
        if (clock.now() > untilMs) break;
        await sleep(clock, 5);
        continue;
      }
      const answer = JSON.parse(message.content.toString('utf8')) as {
        readonly round: number;
        readonly reader: string;
      };
      if (answer.round === round) answered.add(answer.reader);
    }
    return answered.size;
  }

  async #notify(notice: Notice, replyTo: string | null): Promise<void> {
    const { link, names } = this.#options;
    const body = Buffer.from(JSON.stringify(notice));
    const properties = replyTo === null ? {} : { replyTo };
    try {
      await link.publish({ exchange: names.changes, routingKey: '', body, properties });
    } catch (error) {
      // Nobody listens, so that nobody reads; or one of those who listened was about to end, and its queue with it: all others have it.
      const { code } = classify(error);
      if (code !== 'unroutable' && code !== 'resource-exhausted') throw error;
    }
  }
}

function withPaused(content: CatalogueContent, topic: string, name: string, paused: boolean): CatalogueContent {
  const shape = shapeIn(content, topic);
  if (shape === null) throw noTopic(topic);
  const group = groupIn(content, topic, name);
  if (group === null) throw noGroup(topic, name);
  if (paused) demandPausable(shape, name);
  return (group.paused ?? false) === paused ? content : withGroup(content, topic, name, { ...group, paused });
}

function noticeIn(content: Buffer): Notice | null {
  return content.length === 0 ? null : (JSON.parse(content.toString('utf8')) as Notice);
}

function notHeeded(topic: string, group: string, missing: number): Refusal {
  return new Refusal(
    'timeout',
    `group "${group}" of "${topic}" is paused, but ${missing} of the processes that read did not say within ${patienceMs} ms that they have stopped`,
    'pause it again to wait for them again; they stop as soon as they look',
  );
}
