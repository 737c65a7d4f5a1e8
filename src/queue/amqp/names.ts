import { Refusal } from '../driver.js';

/** What decides which exchanges and queues a topic has. It never changes while the topic exists. */
export interface TopicShape {
  readonly name: string;
  readonly ordering: 'none' | 'key';
  readonly lanes: number;
}

/** AMQP's short strings. */
const maxNameBytes = 255;

/**
 * The names of everything that signalbox has in a broker; nothing else makes or reads names. All begin with the
 * prefix, so that rights can be given on `^<prefix>\.`. A number of lanes is part of the names it decides, so that
 * two programs which disagree about it never share a queue, nor split a key between two.
 */
export class Names {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** What is declared, as one message. */
  get catalogue(): string {
    return this.#name('catalogue');
  }

  /** Fans out that the catalogue has changed. */
  get changes(): string {
    return this.#name('changes');
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
    return this.#name('lock', of.startsWith(`${this.#prefix}.`) ? of.slice(this.#prefix.length + 1) : of);
  }

  exchange(topic: TopicShape, lane: number): string {
    return this.#name('to', encoded(topic.name), ...laneOf(topic, lane));
  }

  queue(topic: TopicShape, group: string, lane: number): string {
    return this.#name('q', encoded(topic.name), encoded(group), ...laneOf(topic, lane));
  }

  dead(topic: string, group: string): string {
    return this.#name('dead', encoded(topic), encoded(group));
  }

  #name(...parts: readonly string[]): string {
    const name = [this.#prefix, ...parts].join('.');
    if (Buffer.byteLength(name) <= maxNameBytes) return name;
    throw new Refusal(
      'invalid',
      `"${name}" would be the name of an exchange or queue, and is longer than ${maxNameBytes} bytes`,
      'use a shorter prefix, or shorter names',
    );
  }
}

function laneOf({ ordering, lanes }: TopicShape, lane: number): readonly string[] {
  return ordering === 'none' ? [] : [`${lane}of${lanes}`];
}

/** Without dots, which separate the parts of a name: topic `a.b` and group `c` are not topic `a` and group `b.c`. */
function encoded(name: string): string {
  return name.replace(/[%:]/g, encodeURIComponent).replaceAll('.', ':');
}
