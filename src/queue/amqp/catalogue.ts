import type { Channel, GetMessage } from 'amqplib';
import { type Clock, type Logger, sleep } from '../driver.js';
import {
  type CatalogueContent,
  emptyCatalogue,
  parseCatalogue,
  shapeIn,
  unfinishedTopics,
} from './catalogue-content.js';
import { type Link, replyCodeOf } from './connection/index.js';
import { declareObjects } from './declare-objects.js';
import type { DurabilityGate } from './durability-gate.js';
import type { Locks } from './lock.js';
import type { Names } from './names.js';
import { catalogueSpecs } from './topology-specs.js';

/** What the broker says to a user without the right to declare: an exclusive queue, in this case, which is a lock. */
const accessRefused = 403;

/**
 * How long a queue that is there and empty is looked at again: whoever may not lock has the message in hand for a moment. Empty
 * for good it is only where a process died between declaring it and writing.
 */
const emptyForMs = 2_000;

/** How long the declaration of a topic may take, which is slow on a broker that is busy with those of others. */
const growsForMs = 10_000;

export interface CatalogueOptions {
  readonly link: Link;
  readonly names: Names;
  readonly locks: Locks;
  readonly gate: DurabilityGate;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** After so many looks the message is written anew: on 3.10 each look counts as a delivery, and their number is limited. */
const renewAfterLooks = 10_000;

/**
 * What is declared in the broker, kept there as one message in a queue: whoever reads or changes it has the lock. A
 * change is published before the old one is acked, so that a crash leaves two, of which the newer one counts.
 */
export class Catalogue {
  readonly #options: CatalogueOptions;
  readonly #link: Link;
  readonly #names: Names;
  #seen: CatalogueContent = emptyCatalogue;
  /** Topics that were being declared when this process first saw them: it may publish to them before they are durable. */
  readonly #growing = new Set<string>();
  readonly #watches = new Map<string, Promise<void>>();
  #isStale = true;
  #refreshing: Promise<CatalogueContent> | null = null;
  /** Why this user may not lock, once the broker has said so. Rights that are given later count for the next process. */
  #refused: unknown = null;

  constructor(options: CatalogueOptions) {
    this.#options = options;
    this.#link = options.link;
    this.#names = options.names;
  }

  /** As it was when this process last looked. Topics in it are there: they are never removed. */
  get seen(): CatalogueContent {
    return this.#seen;
  }

  /** Whether a topic may be younger than its messages may be: see `untilGrown`. Cheap. */
  isGrowing(topic: string): boolean {
    return this.#growing.size > 0 && this.#growing.has(topic);
  }

  /** Resolves when whoever declares a topic has noted that it is durable, or has not for so long that he must be gone. */
  untilGrown(topic: string): Promise<void> {
    const watch = this.#watches.get(topic) ?? this.#watch(topic).finally(() => this.#watches.delete(topic));
    this.#watches.set(topic, watch);
    return watch;
  }

  async #watch(topic: string): Promise<void> {
    const { clock } = this.#options;
    const untilMs = clock.now() + growsForMs;
    while (this.isGrowing(topic)) {
      await this.refresh();
      if (clock.now() > untilMs) this.#growing.delete(topic);
      else if (this.isGrowing(topic)) await sleep(clock, 200);
    }
  }

  /** Something in it is gone: to be told by whoever listens to `names.changes`. */
  outdate(): void {
    this.#isStale = true;
  }

  /** Tells all movers that something in it is gone; returned where nobody listens. */
  async tell(): Promise<void> {
    const news = { exchange: this.#names.changes, routingKey: '', body: Buffer.alloc(0), properties: {} };
    await this.#link.publish(news).catch(() => {});
  }

  /** As it is, as far as this process was told of changes. */
  async upToDate(): Promise<CatalogueContent> {
    return this.#isStale ? this.refresh() : this.#seen;
  }

  /** As it is now, or was after this was called: those who ask while a look has not begun share it. */
  refresh(): Promise<CatalogueContent> {
    if (this.#refreshing !== null) return this.#refreshing;
    const begin = (): void => {
      if (this.#refreshing === refreshing) this.#refreshing = null;
      this.#isStale = false;
    };
    // In a turn of its own: without a lock to wait for, it would begin before anybody could share it.
    const refreshing = Promise.resolve().then(() =>
      this.#locked((refused) => {
        begin();
        return this.#look(async ({ content }) => content, refused === null);
      }),
    );
    refreshing.catch(() => {
      begin();
      this.#isStale = true;
    });
    this.#refreshing = refreshing;
    return refreshing;
  }

  /**
   * Changes it: `change` is given what is there, and answers what shall be there; the same object where nothing
   * changes. `meanwhile`, if given, is done under the lock before the change is written. Whoever may not lock (reply code
   * 403) can change nothing: what would be a change rejects with that.
   */
  change(
    change: (content: CatalogueContent) => CatalogueContent,
    meanwhile: (content: CatalogueContent) => Promise<void> = async () => {},
  ): Promise<CatalogueContent> {
    return this.#locked((refused) =>
      this.#look(async ({ content, exists, rewrite }) => {
        const changed = change(content);
        if (changed !== content && refused !== null) {
          this.#saw(content);
          throw refused;
        }
        await meanwhile(content);
        if (changed === content) return content;
        if (!exists) await this.#declare();
        return rewrite(changed);
      }, refused === null),
    );
  }

  /** With the lock; without, where this user may not have it: `refused` is why. */
  async #locked<T>(work: (refused: unknown) => Promise<T>): Promise<T> {
    if (this.#refused !== null) return work(this.#refused);
    let begun = false;
    try {
      return await this.#options.locks.with(this.#names.catalogue, () => {
        begun = true;
        return work(null);
      });
    } catch (error) {
      if (begun || replyCodeOf(error) !== accessRefused) throw error;
      this.#refused = error;
      return work(error);
    }
  }

  async #look(
    work: (look: {
      readonly content: CatalogueContent;
      readonly exists: boolean;
      readonly rewrite: (content: CatalogueContent) => Promise<CatalogueContent>;
    }) => Promise<CatalogueContent>,
    isLocked: boolean,
  ): Promise<CatalogueContent> {
    const queue = this.#names.catalogue;
    let exists = false;
    try {
      return await this.#link.withChannel(`read the catalogue "${queue}"`, async (channel) => {
        const messages = await this.#all(channel, queue);
        exists = true;
        const content = newest(messages);
        let left = messages;
        const rewrite = async (changed: CatalogueContent): Promise<CatalogueContent> => {
          const next = { ...changed, version: content.version + 1 };
          await this.#write(next);
          for (const message of messages) channel.ack(message);
          left = [];
          return next;
        };
        let answer = await work({ content, exists: true, rewrite });
        if (isLocked && (messages.length > 1 || messages.some(isWorn)))
          answer = left.length === 0 ? answer : await rewrite(content);
        for (const message of left) channel.nack(message, false, true);
        return this.#saw(answer);
      });
    } catch (error) {
      if (exists || replyCodeOf(error) !== 404) throw error;
    }
    const rewrite = async (changed: CatalogueContent): Promise<CatalogueContent> => {
      const next = { ...changed, version: 1 };
      await this.#write(next);
      return next;
    };
    return this.#saw(await work({ content: emptyCatalogue, exists: false, rewrite }));
  }

  #saw(content: CatalogueContent): CatalogueContent {
    const unfinished = unfinishedTopics(content);
    for (const topic of unfinished) if (shapeIn(this.#seen, topic) === null) this.#growing.add(topic);
    for (const topic of this.#growing) if (!unfinished.includes(topic)) this.#growing.delete(topic);
    this.#seen = content;
    return content;
  }

  async #declare(): Promise<void> {
    const queue = this.#names.catalogue;
    await declareObjects(this.#link, `"${queue}"`, catalogueSpecs(this.#names), this.#options.logger);
    this.#options.gate.declared([queue]);
  }

  async #all(channel: Channel, queue: string): Promise<readonly GetMessage[]> {
    const { clock } = this.#options;
    for (const untilMs = clock.now() + emptyForMs; ; await sleep(clock, 20)) {
      const messages = await all(channel, queue);
      if (messages.length > 0 || clock.now() > untilMs) return messages;
    }
  }

  async #write(content: CatalogueContent): Promise<void> {
    await this.#link.publish({
      exchange: '',
      routingKey: this.#names.catalogue,
      body: Buffer.from(JSON.stringify(content)),
      properties: { persistent: true, messageId: `catalogue ${content.version}`, contentType: 'application/json' },
    });
  }
}

async function all(channel: Channel, queue: string): Promise<readonly GetMessage[]> {
  const messages: GetMessage[] = [];
  for (;;) {
    const message = await channel.get(queue, { noAck: false });
    if (message === false) return messages;
    messages.push(message);
  }
}

function newest(messages: readonly GetMessage[]): CatalogueContent {
  return messages
    .map(({ content }) => parseCatalogue(content.toString('utf8')))
    .reduce((one, other) => (other.version > one.version ? other : one), emptyCatalogue);
}

function isWorn({ properties }: GetMessage): boolean {
  return Number(properties.headers?.['x-delivery-count'] ?? 0) > renewAfterLooks;
}
