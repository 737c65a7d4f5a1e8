import { type Logger, Refusal } from '../driver.js';
import { answers } from './answers.js';
import type { CatalogueGroup } from './catalogue-content.js';
import { type Link, replyCodeOf } from './connection/index.js';
import { compareObjects, declareObjects, isThere } from './declare-objects.js';
import type { DurabilityGate } from './durability-gate.js';
import { mappingOfGroup } from './mapped/mapping-of-group.js';
import type { Names, TopicShape } from './names.js';
import { describeSpec, type ObjectSpec } from './object-spec.js';
import {
  baseSpecs,
  bindingSpecs,
  delaySpecs,
  exchangeSpecs,
  lanesOf,
  type QueueTypes,
  queueSpecs,
  readersSpecs,
} from './topology-specs.js';

export interface ObjectsOptions extends QueueTypes {
  readonly link: Link;
  readonly names: Names;
  readonly gate: DurabilityGate;
  readonly logger: Logger;
}

/** The exchanges and queues of signalbox, to be declared, looked for and deleted. Safe to do from many processes at once. */
export class Objects {
  readonly #options: ObjectsOptions;

  constructor(options: ObjectsOptions) {
    this.#options = options;
  }

  get #names(): Names {
    return this.#options.names;
  }

  /** All queues of a group: its lanes', and its dead letters'. */
  queuesOf(topic: TopicShape, group: string): readonly string[] {
    const lanes = lanesOf(topic).map((lane) => this.#names.queue(topic, group, lane));
    return [...lanes, this.#names.dead(topic, group)];
  }

  /** Which of these queues are not there. */
  async missing(queues: readonly string[]): Promise<readonly string[]> {
    const missing: string[] = [];
    let left = queues;
    while (left.length > 0) {
      const found: string[] = [];
      try {
        await this.#options.link.withChannel(`look for ${left.length} queues`, async (channel) => {
          for (const queue of left) {
            await channel.checkQueue(queue);
            found.push(queue);
          }
        });
      } catch (error) {
        // The broker closes the channel on which it was asked for what is not there, or is exclusive to another connection.
        const replyCode = replyCodeOf(error);
        if (replyCode !== 404 && replyCode !== 405) throw error;
        if (replyCode === 404) missing.push(left[found.length] as string);
        found.push('');
      }
      left = left.slice(found.length);
    }
    return missing;
  }

  /** Which exchanges of a topic are not there. */
  async missingExchanges(topic: TopicShape): Promise<readonly string[]> {
    const missing: string[] = [];
    for (const spec of exchangeSpecs(this.#names, topic)) {
      if (spec.kind === 'exchange' && !(await isThere(this.#options.link, spec))) missing.push(spec.name);
    }
    return missing;
  }

  /**
   * Rejects with a `topology-mismatch` refusal where exchanges or queues of a topic, which are there, have other arguments than are declared. What
   * this user may not declare is not compared, and named in the log.
   */
  async demandSame(topic: TopicShape, groups: readonly string[]): Promise<void> {
    const { link, logger } = this.#options;
    const specs = [
      ...exchangeSpecs(this.#names, topic),
      ...groups.flatMap((group) => queueSpecs(this.#names, this.#options, topic, group)),
    ];
    const unknown = await compareObjects(link, `what topic "${topic.name}" has`, specs);
    if (unknown.length === 0) return;
    logger.info(
      { notCompared: unknown.map(describeSpec) },
      'these are there; this user may not declare them, so nobody can tell whether their arguments are as declared',
    );
  }

  async declareExchanges(topic: TopicShape): Promise<void> {
    await this.#declare(`the exchanges of topic "${topic.name}"`, exchangeSpecs(this.#names, topic));
  }

  /**
   * A group's queues and bindings, as they should be; answers the queues that were not there. The exchanges are there.
   * Rejects with a `topology-mismatch` refusal where a queue exists with other arguments. Where a queue was not there, `young`
   * (what leads to it) is no more durable than that.
   */
  async declareGroup(
    topic: TopicShape,
    group: string,
    was: CatalogueGroup,
    young: readonly string[] = [],
  ): Promise<readonly string[]> {
    const missing = await this.missing(this.queuesOf(topic, group));
    const name = `group "${group}" of topic "${topic.name}"`;
    await this.#declare(`the queues of ${name}`, queueSpecs(this.#names, this.#options, topic, group));
    // Before anything is bound, so that what the exchange brings from now on is kept.
    if (missing.length > 0) this.#options.gate.declared([...missing, ...young]);
    await this.#declare(`the bindings of ${name}`, bindingSpecs(this.#names, topic, group, was));
    return missing;
  }

  /** How many messages are ready in these queues together. Rejects with reply code 404 when one is not there. */
  ready(queues: readonly string[]): Promise<number> {
    return this.#options.link.withChannel(`count ${queues.length} queues`, async (channel) => {
      let count = 0;
      for (const queue of queues) count += (await channel.checkQueue(queue)).messageCount;
      return count;
    });
  }

  /** Rejects with an `unsupported` refusal where the group's queue is mapped as passive: it is somebody else's. */
  async deleteGroup(topic: TopicShape, group: string, was: CatalogueGroup): Promise<void> {
    const mapped = topic.mapping ? mappingOfGroup(topic.mapping, group) : null;
    if (mapped?.passive) {
      throw new Refusal(
        'unsupported',
        `queue "${mapped.queue}" of group "${group}" of topic "${topic.name}" is mapped as passive, so it is not ours to delete`,
        'have it deleted by whoever owns it',
      );
    }
    // First, so that nothing is on its way to a queue when it goes: 3.10 ends the connection of whoever publishes that.
    const dropped = { patterns: [], dropped: [...was.patterns, ...was.dropped] };
    const undone = bindingSpecs(this.#names, topic, group, dropped).filter(({ undo }) => undo);
    await this.#declare(`the end of group "${group}"`, undone);
    const dead = this.#names.dead(topic, group);
    for (const queue of this.queuesOf(topic, group)) {
      // Theirs, and other queues may lead there.
      if (queue === dead && mapped !== null && mapped.deadLetters !== null) continue;
      await this.#options.link.withChannel(`delete queue "${queue}"`, (channel) => channel.deleteQueue(queue));
    }
  }

  /** The movers' queue and the lost letters. */
  async declareBase(): Promise<readonly string[]> {
    const { lost, due } = this.#names;
    const missing = await this.missing([lost, due]);
    await this.#declare(`"${due}" and "${lost}"`, baseSpecs(this.#names, this.#options));
    this.#options.gate.declared(missing);
    return missing;
  }

  /** Where those who read are counted. Looked for first: any that is there will do. */
  async declareReaders(): Promise<void> {
    const { readers } = this.#names;
    if ((await this.missing([readers])).length > 0)
      await this.#declare(`"${readers}"`, readersSpecs(this.#names, this.#options));
  }

  /**
   * Delay queues; they are durable when the gate says so. Answers which of them were there before: those may take nothing, see `unresponsive`.
   * (None is in the catalogue yet, so somebody else is declaring it, or never came to the end of that.)
   */
  async declareDelays(delaysMs: readonly number[]): Promise<readonly number[]> {
    const queueOf = (ms: number): string => this.#names.delay(ms);
    const missing = await this.missing(delaysMs.map(queueOf));
    await this.#declare(`the queues of ${delaysMs.length} delays`, delaySpecs(this.#names, delaysMs));
    this.#options.gate.declared(delaysMs.map(queueOf));
    return delaysMs.filter((ms) => !missing.includes(queueOf(ms)));
  }

  /** Which of these delay queues are there and take nothing: nothing must be published to them. To be asked when they are durable. */
  async unresponsive(delaysMs: readonly number[]): Promise<readonly number[]> {
    const { link } = this.#options;
    const asked = delaysMs.map(async (ms) => ((await answers(link, this.#names.delay(ms))) ? [] : [ms]));
    return (await Promise.all(asked)).flat();
  }

  #declare(what: string, specs: readonly ObjectSpec[]): Promise<void> {
    const { link, logger } = this.#options;
    return declareObjects(link, what, specs, logger);
  }
}
