import { createHash } from 'node:crypto';
import type { Mapping } from './mapped/mapped-topic.js';
import { mappingOfGroup } from './mapped/mapping-of-group.js';

/** What decides which exchanges and queues a topic has. It never changes while the topic exists. */
export interface TopicShape {
  readonly name: string;
  readonly ordering: 'none' | 'key';
  readonly lanes: number;
  /** Objects of somebody else, which have the names that it says. */
  readonly mapping?: Mapping | null;
}

/** Two of these, a prefix and a vhost of usual length fit into 255 bytes, which is all that RabbitMQ allows for both together. */
const longestPlain = 64;

/**
 * The names of everything that signalbox has in a broker; nothing else makes or reads names. All begin with the
 * prefix, so that rights can be given on `^<prefix>\.`. A number of lanes is part of the names it decides, so that
 * two programs which disagree about it never share a queue, nor split a key between two.
 */
export class Names {
  readonly prefix: string;
  /** Topics and groups as they are written in names: each message needs one. */
  readonly #encoded = new Map<string, string>();
  readonly #exchanges = new Map<string, string>();

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  /** What is declared, as one message. */
  get catalogue(): string {
    return this.#name('catalogue');
  }

  /** Fans out that the catalogue has changed. */
  get changes(): string {
    return this.#name('changes');
  }

  /** What one of those who are told has as its queue; `unique` is this one's own. */
  listener(unique: string): string {
    return this.#name('changes', unique);
  }

  /** Consumed by every process that reads, and always empty: so that they can be counted. */
  get readers(): string {
    return this.#name('readers');
  }

  /** What movers deliver. */
  get due(): string {
    return this.#name('due');
  }

  /** Delayed messages whose destination was gone. */
  get lost(): string {
    return this.#name('lost');
  }

  /** What waits that long. */
  delay(ms: number): string {
    return this.#name('delay', String(ms));
  }

  /** Whoever has this exclusive queue holds the lock. */
  lock(of: string): string {
    return this.#name('lock', of.startsWith(`${this.prefix}.`) ? of.slice(this.prefix.length + 1) : of);
  }

  /** What is published to; empty where that is the group's queue itself. */
  exchange(topic: TopicShape, lane: number): string {
    if (topic.mapping) return topic.mapping.exchange?.name ?? '';
    if (topic.ordering !== 'none') return this.#name('to', this.#encode(topic.name), ...laneOf(topic, lane));
    const known = this.#exchanges.get(topic.name);
    if (known !== undefined) return known;
    const made = this.#name('to', this.#encode(topic.name));
    this.#exchanges.set(topic.name, made);
    return made;
  }

  queue(topic: TopicShape, group: string, lane: number): string {
    const mapped = topic.mapping ? mappingOfGroup(topic.mapping, group) : null;
    return mapped?.queue ?? this.#name('q', this.#encode(topic.name), this.#encode(group), ...laneOf(topic, lane));
  }

  /** Whoever reads a group of an ordered topic consumes from it, so that it can be asked how many there are. */
  attendance(topic: string, group: string): string {
    return this.#name('attendance', encoded(topic), encoded(group));
  }

  dead(topic: TopicShape, group: string): string {
    const mapped = topic.mapping ? mappingOfGroup(topic.mapping, group) : null;
    return mapped?.deadLetters?.queue ?? this.#name('dead', this.#encode(topic.name), this.#encode(group));
  }

  #encode(name: string): string {
    const known = this.#encoded.get(name);
    if (known !== undefined) return known;
    const made = encoded(name);
    this.#encoded.set(name, made);
    return made;
  }

  #name(...parts: readonly string[]): string {
    return [this.prefix, ...parts].join('.');
  }
}

function laneOf({ ordering, lanes }: TopicShape, lane: number): readonly string[] {
  return ordering === 'none' ? [] : [`${lane}of${lanes}`];
}

/**
 * Without dots, which separate the parts of a name: topic `a.b` and group `c` are not topic `a` and group `b.c`. What is
 * long, or not plain ASCII, is cut and told apart by a hash.
 */
function encoded(name: string): string {
  const plain = name.replace(/[%:~]/g, encodeURIComponent).replaceAll('.', ':').replaceAll('~', '%7E');
  if (plain.length <= longestPlain && /^[!-~]+$/.test(plain)) return plain;
  const start = plain.replace(/[^!-~]/g, '').slice(0, 32);
  return `${start}~${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;
}
