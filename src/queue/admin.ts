import { z } from 'zod';
import { checkNotClosed, type QueueContext } from './context.js';
import { type DeadLetter, deadLetterOf } from './dead-letter.js';
import type { BackendObject, Depth, LetterBox, TopicTopology } from './driver.js';
import { QueueError } from './errors.js';
import { wrapError } from './failure.js';
import { kindOf, nameFault, quoted } from './names.js';
import { optionsObject, positiveInteger, readOptions } from './options.js';
import { groupSchema, isTopic, type Topic } from './topic.js';

/** A topic, or the name of one: tools that know no schemas have only names. */
export type TopicOrName = Topic | string;

export interface LetterListOptions {
  /** At most this many; default 100, at most 1000. */
  readonly limit?: number | undefined;
  /** `next` of the page before. */
  readonly cursor?: string | null | undefined;
}

/** What a group gave up on, or what found its destination gone. Looking changes nothing and uses nothing up. */
export interface Letters {
  /** A page, oldest first; `next` is null on the last one. */
  list(options?: LetterListOptions): Promise<{ readonly letters: readonly DeadLetter[]; readonly next: string | null }>;
  /** Null where the backend cannot tell. */
  count(): Promise<number | null>;
  /** Sends them back where they belong: same ids, counts from the start, at the end of their key's line. Answers how many. `ids` are message ids. */
  redrive(ids: readonly string[] | 'all'): Promise<number>;
  /** Deletes them for good. Answers how many. */
  purge(ids: readonly string[] | 'all'): Promise<number>;
}

const letterListSchema = optionsObject({
  limit: positiveInteger.max(1_000, 'must be at most 1000').default(100),
  cursor: z.string('must be what `next` was').nullable().default(null),
});

/** For operators: what is there, how much of it, and what was given up. All verbs may be called at any time. */
export class Admin {
  readonly #context: QueueContext;

  constructor(context: QueueContext) {
    this.#context = context;
  }

  /** What exists in the backend, whether this process declared it or not. */
  topics(): Promise<readonly TopicTopology[]> {
    return this.#call('list the topics', (admin) => admin.topics());
  }

  /** What the topics consist of in the backend, and what it says of each; null for a backend whose topics consist of nothing with a name. */
  objects(): Promise<readonly BackendObject[] | null> {
    return this.#call('list what the topics consist of', async (admin) => (await admin.objects?.()) ?? null);
  }

  /** How much waits in one group. Fields that the backend cannot know are null. */
  async depth(topic: TopicOrName, group = 'default'): Promise<Depth> {
    const name = this.#groupOf('read the depth of a group', topic, group);
    return this.#call(`read the depth of group "${group}" of "${name}"`, (admin) => admin.depth(name, group));
  }

  /** Adds a group that is not part of the topic's definition; it gets what is published after this resolved. Adding it again changes nothing. */
  async addGroup(
    topic: TopicOrName,
    group: string,
    options: { readonly patterns?: readonly string[] } = {},
  ): Promise<void> {
    const operation = typeof group === 'string' ? `add group ${quoted(group)}` : 'add a group';
    const name = nameOf(operation, topic);
    checkGroup(operation, group);
    const { patterns } = readOptions(operation, groupSchema, options);
    return this.#call(`add group "${group}" to "${name}"`, (admin) => admin.addGroup(name, { name: group, patterns }));
  }

  /** Removes a group with what waits for it and its dead letters; what is delayed becomes a lost letter when it falls due. */
  async removeGroup(topic: TopicOrName, group: string): Promise<void> {
    const operation = typeof group === 'string' ? `remove group ${quoted(group)}` : 'remove a group';
    const name = nameOf(operation, topic);
    checkGroup(operation, group);
    return this.#call(`remove group "${group}" from "${name}"`, (admin) => admin.removeGroup(name, group));
  }

  /**
   * From when this resolves, no subscriber of the group, in any process, starts a message, until `resume`. Those that are being worked on
   * go on and are settled as ever; what was handed out and not started goes back. Publishing goes on, and nothing is lost. It holds over
   * restarts. Rejects with `timeout` when a process does not say within 10 s that it has stopped; the group is paused all the
   * same, and pausing it again waits again; with `unsupported` where the backend would delete what waits, as nobody consumes it (a foreign
   * queue that is mapped with `autoDelete`).
   */
  async pause(topic: TopicOrName, group = 'default'): Promise<void> {
    const name = this.#groupOf('pause a group', topic, group);
    return this.#call(`pause group "${group}" of "${name}"`, (admin) => admin.pause(name, group));
  }

  /** Lets a paused group flow again. Resuming one that flows changes nothing. */
  async resume(topic: TopicOrName, group = 'default'): Promise<void> {
    const name = this.#groupOf('resume a group', topic, group);
    return this.#call(`resume group "${group}" of "${name}"`, (admin) => admin.resume(name, group));
  }

  /** The dead letters of one group of one topic. */
  deadLetters(topic: TopicOrName, group = 'default'): Letters {
    const name = nameOf('look at dead letters', topic);
    checkGroup('look at dead letters', group);
    return this.#letters(`the dead letters of group "${group}" of "${name}"`, { kind: 'dead', topic: name, group });
  }

  /** Delayed messages of all topics whose destination was gone when they fell due. */
  get lostLetters(): Letters {
    return this.#letters('the lost letters', { kind: 'lost' });
  }

  /** The topic's name. Throws `invalid`. */
  #groupOf(operation: string, topic: TopicOrName, group: unknown): string {
    const name = nameOf(operation, topic);
    checkGroup(`${operation} of "${name}"`, group);
    return name;
  }

  #letters(what: string, box: LetterBox): Letters {
    return {
      list: async (options = {}) => {
        const page = readOptions(`list ${what}`, letterListSchema, options);
        const { letters, next } = await this.#call(`list ${what}`, (admin) => admin.letters(box, page));
        return { letters: letters.map(deadLetterOf), next };
      },
      count: async () =>
        (await this.#call(`count ${what}`, (admin) => admin.letters(box, { limit: 1, cursor: null }))).total,
      redrive: async (ids) =>
        this.#call(`redrive ${what}`, (admin) => admin.redrive(box, checkIds(`redrive ${what}`, ids))),
      purge: async (ids) => this.#call(`purge ${what}`, (admin) => admin.purge(box, checkIds(`purge ${what}`, ids))),
    };
  }

  async #call<T>(operation: string, call: (admin: QueueContext['driver']['admin']) => Promise<T>): Promise<T> {
    checkNotClosed(this.#context, operation);
    try {
      return await call(this.#context.driver.admin);
    } catch (error) {
      throw wrapError(operation, this.#context.driver, error);
    }
  }
}

function nameOf(operation: string, topic: TopicOrName): string {
  if (isTopic(topic)) return topic.name;
  const fault = nameFault(topic);
  if (fault === null) return topic as string;
  throw new QueueError(
    `cannot ${operation}: the topic ${typeof topic === 'string' ? `${quoted(topic)} ${fault}` : `is ${kindOf(topic)}`}; give a topic or its name`,
    { code: 'invalid' },
  );
}

function checkGroup(operation: string, group: unknown): void {
  const fault = nameFault(group);
  if (fault !== null)
    throw new QueueError(`cannot ${operation}: the group's name ${fault}; give up to 100 bytes of plain text`, {
      code: 'invalid',
    });
}

function checkIds(operation: string, ids: unknown): readonly string[] | 'all' {
  if (ids === 'all') return ids;
  const remedy = "give an array of message ids, or 'all'";
  if (!Array.isArray(ids))
    throw new QueueError(`cannot ${operation}: the ids are ${kindOf(ids)}; ${remedy}`, { code: 'invalid' });
  const other: unknown = ids.find((id) => typeof id !== 'string');
  if (other === undefined) return ids;
  throw new QueueError(`cannot ${operation}: an id is ${kindOf(other)}; ${remedy}`, { code: 'invalid' });
}
