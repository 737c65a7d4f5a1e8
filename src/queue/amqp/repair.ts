import type { Logger } from '../driver.js';
import type { Catalogue } from './catalogue.js';
import { groupIn, shapeIn } from './catalogue-content.js';
import type { DurabilityGate } from './durability-gate.js';
import type { Objects } from './objects.js';

export interface RepairOptions {
  readonly catalogue: Catalogue;
  readonly objects: Objects;
  readonly gate: DurabilityGate;
  readonly logger: Logger;
}

/** Declares again what the catalogue has and the broker has not: an operator deleted a queue, or whoever declared it died on the way. */
export class Repair {
  readonly #options: RepairOptions;

  constructor(options: RepairOptions) {
    this.#options = options;
  }

  /**
   * Under the catalogue's lock, so that no group that is being removed is made again. Resolves when what was made is
   * durable; answers which of the groups are there.
   */
  async groups(topicName: string, groups: readonly string[]): Promise<readonly string[]> {
    const { catalogue, objects, gate, logger } = this.#options;
    const there: string[] = [];
    const made: string[] = [];
    await catalogue.change(
      (content) => content,
      async (content) => {
        const topic = shapeIn(content, topicName);
        if (topic === null) return;
        await objects.declareExchanges(topic);
        for (const name of groups) {
          const group = groupIn(content, topicName, name);
          if (group === null) continue;
          there.push(name);
          made.push(...(await objects.declareGroup(topic, name, group)));
        }
      },
    );
    if (made.length > 0) logger.warn({ topic: topicName, queues: made }, 'queues that were gone were declared again');
    await gate.untilDurable(made);
    return there;
  }
}
