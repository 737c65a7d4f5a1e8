import type { GetMessage } from 'amqplib';
import {
  type DrainedLetter,
  freshCounts,
  idOf,
  type Letter,
  type LetterBox,
  type LetterList,
  type LetterPage,
  noGroup,
  noTopic,
  Refusal,
} from '../driver.js';
import type { BrokerTime } from './broker-time.js';
import type { Catalogue } from './catalogue.js';
import { groupIn, shapeIn } from './catalogue-content.js';
import { type ConsumingChannel, classify, type Link, replyCodeOf } from './connection/index.js';
import type { DurabilityGate } from './durability-gate.js';
import { comparePlaces, decodeDrainedLetter, decodeLetter, isExpired, type Place, placeOf } from './letter-coding.js';
import type { Locks } from './lock.js';
import { copyOf, laneOf } from './message-coding.js';
import type { Names, TopicShape } from './names.js';
import type { Repair } from './repair.js';

type Ids = readonly string[] | 'all';
type BoxOf = { readonly topic: string; readonly group: string } | null;

export interface LettersOptions {
  readonly link: Link;
  readonly names: Names;
  readonly locks: Locks;
  readonly catalogue: Catalogue;
  readonly repair: Repair;
  readonly gate: DurabilityGate;
  readonly time: BrokerTime;
}

/**
 * Dead and lost letters, in quorum queues that nobody consumes. AMQP can only take a message out: whoever looks takes all of
 * them and puts them back, and holds the box's lock meanwhile, since to a second one it would look empty. So each verb
 * costs as much as the box is long.
 */
export class Letters {
  readonly #options: LettersOptions;

  constructor(options: LettersOptions) {
    this.#options = options;
  }

  async list(box: LetterBox, { limit, cursor }: LetterPage): Promise<LetterList> {
    const after = cursor === null ? null : parseCursor(cursor);
    const of = await this.#find(box);
    return this.#withAll(this.#queueOf(box), async (_, messages) => {
      const rest = after === null ? messages : messages.filter((each) => comparePlaces(placeOf(each), after) > 0);
      const page = rest.slice(0, limit);
      const last = page.at(-1);
      const next = rest.length > limit && last !== undefined ? JSON.stringify(placeOf(last)) : null;
      return {
        letters: page.map((each) => decodeLetter(each, of, this.#options.time.now())),
        next,
        total: messages.length,
      };
    });
  }

  async redrive(box: LetterBox, ids: Ids): Promise<number> {
    const of = await this.#find(box);
    return this.#withAll(this.#queueOf(box), async (channel, messages) => {
      // Written one after the other, so that those of one key stay in order.
      const moves = await Promise.allSettled(
        named(messages, ids, of).map((message) => this.#sendBack(channel, message, decodeLetter(message, of, 0))),
      );
      await certain(channel, this.#queueOf(box));
      const failed = moves.find((move) => move.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      return moves.filter((move) => move.status === 'fulfilled' && move.value).length;
    });
  }

  async purge(box: LetterBox, ids: Ids): Promise<number> {
    const of = await this.#find(box);
    return this.#withAll(this.#queueOf(box), async (channel, messages) => {
      const gone = named(messages, ids, of);
      for (const message of gone) channel.raw.ack(message);
      await certain(channel, this.#queueOf(box));
      return gone.length;
    });
  }

  /** See `DriverAdmin.drainLetters`. No more is taken out of the box than is given, so that a long one is never held as a whole. */
  async drain(
    topic: string,
    group: string,
    max: number,
    keep: (letters: readonly DrainedLetter[]) => Promise<void>,
  ): Promise<number> {
    const box = { kind: 'dead', topic, group } as const;
    await this.#find(box);
    const queue = this.#queueOf(box);
    return this.#withFirst(queue, max, async (channel, messages) => {
      if (messages.length === 0) return 0;
      const now = this.#options.time.now();
      await keep(messages.map((message) => decodeDrainedLetter(message, { topic, group }, now)));
      for (const message of messages) channel.raw.ack(message);
      await certain(channel, queue, 1);
      return messages.length;
    });
  }

  /** False where its destination does not exist: it stays. */
  async #sendBack(channel: ConsumingChannel, message: GetMessage, { topic, group }: Letter): Promise<boolean> {
    const { link, names, catalogue, repair, gate } = this.#options;
    const shape = shapeIn(catalogue.seen, topic);
    if (shape === null || groupIn(catalogue.seen, topic, group) === null) return false;
    const queue = names.queue(shape, group, laneOf(message) % shape.lanes);
    const { body, properties } = copyOf(message, freshCounts);
    const publication = { exchange: '', routingKey: queue, body, properties };
    try {
      await link.publish(publication);
    } catch (error) {
      if (classify(error).code !== 'unroutable') throw error;
      if (!(await repair.groups(topic, [group])).includes(group)) return false;
      await link.publish(publication);
    }
    if (!gate.isDurable(queue)) await gate.untilDurable([queue]);
    channel.raw.ack(message);
    return true;
  }

  /** Rejects with a `not-found` refusal. Looks anew, since what was removed elsewhere has no letters. */
  async #find(box: LetterBox): Promise<BoxOf> {
    const content = await this.#options.catalogue.refresh();
    if (box.kind === 'lost') return null;
    if (shapeIn(content, box.topic) === null) throw noTopic(box.topic);
    if (groupIn(content, box.topic, box.group) === null) throw noGroup(box.topic, box.group);
    return { topic: box.topic, group: box.group };
  }

  #queueOf(box: LetterBox): string {
    const { names, catalogue } = this.#options;
    if (box.kind === 'lost') return names.lost;
    // Found a moment ago: topics are never removed.
    return names.dead(shapeIn(catalogue.seen, box.topic) as TopicShape, box.group);
  }

  /** All that have not expired, oldest first. What `work` does not ack is back when this resolves. */
  #withAll<T>(
    queue: string,
    work: (channel: ConsumingChannel, messages: readonly GetMessage[]) => Promise<T>,
  ): Promise<T> {
    return this.#withFirst(queue, Number.POSITIVE_INFINITY, work);
  }

  /** Of those that are first in the queue. */
  #withFirst<T>(
    queue: string,
    max: number,
    work: (channel: ConsumingChannel, messages: readonly GetMessage[]) => Promise<T>,
  ): Promise<T> {
    return this.#options.locks.with(queue, async () => {
      const channel = await this.#options.link.openConsuming({
        what: `the look into "${queue}"`,
        prefetch: 0,
        onDelivery: () => {},
        onCancelled: () => {},
        onClosed: () => {},
      });
      try {
        const now = this.#options.time.now();
        const all = await getUnexpired(channel, queue, max, now);
        const sorted = all.map((message) => ({ message, place: placeOf(message) }));
        sorted.sort((one, other) => comparePlaces(one.place, other.place));
        return await work(
          channel,
          sorted.map(({ message }) => message),
        );
      } finally {
        // What is not acked goes back in its old order. Of somebody else's queue, so that it is not counted: 4.x drops what was
        // handed out 21 times from a quorum queue without a limit of its own, and a nack is no hand-out there.
        if (!queue.startsWith(`${this.#options.names.prefix}.`) && channel.open) channel.raw.nackAll(true);
        await channel.close();
      }
    });
  }
}

/** A box that nobody has declared yet is empty. */
async function getUnexpired(
  channel: ConsumingChannel,
  queue: string,
  max: number,
  now: number,
): Promise<readonly GetMessage[]> {
  const messages: GetMessage[] = [];
  try {
    while (messages.length < max) {
      const message = await channel.raw.get(queue, { noAck: false });
      if (message === false) break;
      if (!isExpired(message, now)) messages.push(message);
    }
    return messages;
  } catch (error) {
    if (replyCodeOf(error) !== 404) throw error;
    return [];
  }
}

/**
 * Until every ack is: a channel holds back acks of a quorum queue while 32 commands are under way, and drops them when it is
 * closed (50 letters were redriven as 52). A get goes through the queue's log after what was sent before it; the second
 * one, after what the first let go.
 */
async function certain(channel: ConsumingChannel, queue: string, max = Number.POSITIVE_INFINITY): Promise<void> {
  for (let n = 0; n < 2; n++) await getUnexpired(channel, queue, max, 0);
}

/** A foreign one has the id that is derived from it. */
function named(messages: readonly GetMessage[], ids: Ids, of: BoxOf): readonly GetMessage[] {
  if (ids === 'all') return messages;
  const wanted = new Set<unknown>(ids);
  return messages.filter((message) => wanted.has(idOf(decodeLetter(message, of, 0).message)));
}

function parseCursor(cursor: string): Place {
  try {
    const { buriedAt, letter } = JSON.parse(cursor) as Partial<Place>;
    if (typeof buriedAt === 'number' && typeof letter === 'string') return { buriedAt, letter };
  } catch {
    // No JSON: no cursor of ours.
  }
  throw new Refusal(
    'invalid',
    `"${cursor}" is not a cursor of this list`,
    'use the "next" of the page before, or null',
  );
}
