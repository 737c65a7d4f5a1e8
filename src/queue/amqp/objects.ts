import { bindingsOf, lanesOf } from './bindings.js';
import type { CatalogueGroup } from './catalogue-content.js';
import { type Link, replyCodeOf } from './connection/index.js';
import type { DurabilityGate } from './durability-gate.js';
import type { Names, TopicShape } from './names.js';
import { delayQueue, groupQueue, keptQueue, type QueueType } from './queue-arguments.js';
import { demandMatch } from './queue-mismatch.js';

export interface ObjectsOptions {
  readonly link: Link;
  readonly names: Names;
  readonly gate: DurabilityGate;
  /** Of the queues of groups. */
  readonly queueType: QueueType;
  /** Of the movers' queue. */
  readonly dueQueueType: QueueType;
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
    return [...lanes, this.#names.dead(topic.name, group)];
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
        // The broker closes the channel on which it was asked for what is not there.
        if (replyCodeOf(error) !== 404) throw error;
        missing.push(left[found.length] as string);
        found.push('');
      }
      left = left.slice(found.length);
    }
    return missing;
  }

  async declareExchanges(topic: TopicShape): Promise<void> {
    await this.#declaring(`the exchanges of topic "${topic.name}"`, async (channel) => {
      for (const lane of lanesOf(topic)) {
        await channel.assertExchange(this.#names.exchange(topic, lane), 'topic', { durable: true });
      }
    });
  }

  /**
   * A group's queues and bindings, as they should be; answers the queues that were not there. The exchanges are there.
   * Rejects with a `topology-mismatch` refusal where a queue exists with other arguments.
   */
  async declareGroup(
    topic: TopicShape,
    group: string,
    { patterns, dropped }: CatalogueGroup,
  ): Promise<readonly string[]> {
    const missing = await this.missing(this.queuesOf(topic, group));
    const waiting = groupQueue(this.#options.queueType, topic.ordering === 'key');
    await this.#declaring(`the queues of group "${group}" of topic "${topic.name}"`, async (channel) => {
      for (const lane of lanesOf(topic)) await channel.assertQueue(this.#names.queue(topic, group, lane), waiting);
      await channel.assertQueue(this.#names.dead(topic.name, group), keptQueue('quorum'));
    });
    // Before anything is bound, so that what the exchange brings from now on is kept.
    this.#options.gate.declared(missing);
    await this.#declaring(`the bindings of group "${group}" of topic "${topic.name}"`, async (channel) => {
      for (const { queue, exchange, pattern } of bindingsOf(this.#names, topic, group, patterns)) {
        await channel.bindQueue(queue, exchange, pattern);
      }
      for (const { queue, exchange, pattern } of bindingsOf(this.#names, topic, group, dropped)) {
        await channel.unbindQueue(queue, exchange, pattern);
      }
    });
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

  async deleteGroup(topic: TopicShape, group: string): Promise<void> {
    for (const queue of this.queuesOf(topic, group)) {
      await this.#options.link.withChannel(`delete queue "${queue}"`, (channel) => channel.deleteQueue(queue));
    }
  }

  /** The movers' queue and the lost letters. */
  async declareBase(): Promise<readonly string[]> {
    const { lost, due } = this.#names;
    const missing = await this.missing([lost, due]);
    await this.#declaring(`"${due}" and "${lost}"`, async (channel) => {
      await channel.assertQueue(due, keptQueue(this.#options.dueQueueType));
      await channel.assertQueue(lost, keptQueue('quorum'));
    });
    this.#options.gate.declared(missing);
    return missing;
  }

  /** Delay queues; they are durable when the gate says so. */
  async declareDelays(delaysMs: readonly number[]): Promise<readonly string[]> {
    await this.#declaring(`the queues of ${delaysMs.length} delays`, async (channel) => {
      for (const ms of delaysMs) await channel.assertQueue(this.#names.delay(ms), delayQueue(this.#names, ms));
    });
    const declared = delaysMs.map((ms) => this.#names.delay(ms));
    this.#options.gate.declared(declared);
    return declared;
  }

  async #declaring(what: string, work: Parameters<Link['withChannel']>[1]): Promise<void> {
    try {
      await this.#options.link.withChannel(`declare ${what}`, work);
    } catch (error) {
      throw demandMatch(error);
    }
  }
}
