import { createHash } from 'node:crypto';
import type { Capabilities, Send, StoredMessage, Target } from './driver.js';
import { headerBytesOf } from './message.js';
import { groupName, type MovePlan } from './move-look.js';

/** A message, or a dead letter, that the target does not take. */
export interface RefusedMessage {
  readonly topic: string;
  readonly group: string;
  /** Null only for a foreign message that brought none. */
  readonly id: string | null;
  readonly dead: boolean;
  /** For people: `its body has 20971520 bytes, and amqp takes at most 16777216`. */
  readonly why: string;
}

/** What stays in the source because of the target. */
export interface StayingReport {
  /** What the target refused, and what waits behind such a message of an ordered topic, in its group. */
  readonly count: number;
  /** What it refused: the first hundred. */
  readonly refused: readonly RefusedMessage[];
}

/** How many are named. */
const mostNamed = 100;

/** Why a backend never takes a message, as far as its limits say so; null: they do not. Pure. */
export function excessOf({ message, delayMs }: Send, backend: string, { limits, delay }: Capabilities): string | null {
  const excess = (what: string, is: number, most: number, unit: string): string | null =>
    is > most ? `its ${what} has ${is} ${unit}, and ${backend} takes at most ${most}` : null;
  return (
    excess('body', message.body.byteLength, limits.bodyBytes, 'bytes') ??
    excess('header', headerBytesOf(message.headers), limits.headerBytes, 'bytes') ??
    excess('delay', delayMs, delay.maxMs, 'ms')
  );
}

/**
 * What one run of a move leaves in the source. Drivers give the first of a group. So where there is no order, what stays is put at the end
 * of its group, and comes again when everything else has been taken: told by its content, since what is the same in everything is
 * refused as well. In an ordered topic a group is left as it is from there on.
 */
export class Staying {
  readonly #refused: RefusedMessage[] = [];
  readonly #stopped = new Set<string>();
  readonly #atTheEnd = new Map<string, Map<string, number>>();
  #letters = 0;
  #messages = 0;

  refuse(refused: RefusedMessage): void {
    const isNamed = this.#refused.some(
      ({ topic, group, id, dead }) =>
        id !== null && id === refused.id && topic === refused.topic && group === refused.group && dead === refused.dead,
    );
    if (!isNamed && this.#refused.length < mostNamed) this.#refused.push(refused);
  }

  /** Nothing more of this group is taken in this run. */
  stop(topic: string, group: string): void {
    this.#stopped.add(groupName(topic, group));
  }

  /** Of what waits in the source, how many messages stay there. */
  messagesIn(groups: MovePlan['groups']): number {
    const waiting = ({ depth: { ready, delayed } }: MovePlan['groups'][number]): number =>
      (ready ?? 0) + (delayed ?? 0);
    return groups
      .filter(({ topic, group }) => this.#stopped.has(groupName(topic, group)))
      .reduce((sum, each) => sum + waiting(each), this.#messages);
  }

  /** `groups` is what was in the source at the last look. */
  report(groups: MovePlan['groups']): StayingReport {
    return { count: this.messagesIn(groups) + this.#letters, refused: [...this.#refused] };
  }

  /** Which of these were put at the end before. */
  again(group: string, sends: readonly Send[]): ReadonlySet<Send> {
    const there = new Map(this.#atTheEnd.get(group));
    if (there.size === 0) return new Set();
    return new Set(
      sends.filter((send) => {
        const content = contentOf(send);
        const count = there.get(content) ?? 0;
        there.set(content, count - 1);
        return count > 0;
      }),
    );
  }

  /** How many of a group are at its end. */
  countOf(group: string): number {
    return [...(this.#atTheEnd.get(group)?.values() ?? [])].reduce((sum, count) => sum + count, 0);
  }

  putAtTheEnd(group: string, send: Send): void {
    const there = this.#atTheEnd.get(group) ?? new Map<string, number>();
    const content = contentOf(send);
    there.set(content, (there.get(content) ?? 0) + 1);
    this.#atTheEnd.set(group, there);
    if (send.target.kind === 'dead') this.#letters++;
    else this.#messages++;
  }
}

function contentOf({ message, target }: Send): string {
  return fingerprint('', message, target);
}

/** One message of one group, or one letter. With its content, in case numbers come again where two backends are moved to one. */
export function fingerprint(identity: string, message: StoredMessage, target: Target): string {
  const { id, topic, key, routingKey, headers, publishedAt, format, body } = message;
  const group = target.kind === 'topic' ? null : [target.kind, target.group];
  const hash = createHash('sha256');
  const sorted = Object.entries(headers).sort(([one], [other]) => (one < other ? -1 : 1));
  hash.update(JSON.stringify([identity, group, id, topic, key, routingKey, sorted, publishedAt, format]));
  return hash.update(body).digest('hex');
}
