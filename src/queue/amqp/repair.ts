import type { Logger } from '../driver.js';
import type { Catalogue } from './catalogue.js';
import { groupIn, shapeIn } from './catalogue-content.js';
import type { DurabilityGate } from './durability-gate.js';
import type { Names } from './names.js';
import type { Objects } from './objects.js';
import { exchangesOf } from './topology-specs.js';

export interface RepairOptions {
  readonly names: Names;
  readonly catalogue: Catalogue;
  readonly objects: Objects;
  readonly gate: DurabilityGate;
  readonly logger: Logger;
}

/** Declares again what the catalogue has and the broker has not: an operator deleted a queue, or whoever declared it died on the way. */
export class Repair {
  readonly #options: RepairOptions;
  /** Those that wait for the lock, by topic and groups. */
  readonly #waiting = new Map<string, Promise<readonly string[]>>();

  constructor(options: RepairOptions) {
    this.#options = options;
  }

  /**
   * Under the catalogue's lock, so that no group that is being removed is made again. Resolves when what was made is
   * durable; answers which of the groups are there. Those who ask for the same while it has not begun share it: a deleted
   * exchange is noticed by every message on its way to it.
   */
  groups(topicName: string, groups: readonly string[]): Promise<readonly string[]> {
    const what = JSON.stringify([topicName, ...groups]);
    const waiting = this.#waiting.get(what);
    if (waiting !== undefined) return waiting;
    const begin = (): void => {
      if (this.#waiting.get(what) === repair) this.#waiting.delete(what);
    };
    const repair: Promise<readonly string[]> = this.#repair(topicName, groups, begin).finally(begin);
    this.#waiting.set(what, repair);
    return repair;
  }

  async #repair(topicName: string, groups: readonly string[], begin: () => void): Promise<readonly string[]> {
    const { names, catalogue, objects, gate, logger } = this.#options;
    const there: string[] = [];
    const made: string[] = [];
    await catalogue.change(
      (content) => {
        begin();
        return content;
      },
      async (content) => {
        const topic = shapeIn(content, topicName);
        if (topic === null) return;
        await objects.declareExchanges(topic);
        for (const name of groups) {
          const group = groupIn(content, topicName, name);
          if (group === null) continue;
          there.push(name);
          made.push(...(await objects.declareGroup(topic, name, group, exchangesOf(names, topic))));
        }
      },
    );
    if (made.length > 0) logger.warn({ topic: topicName, queues: made }, 'queues that were gone were declared again');
    await gate.untilDurable(made);
    return there;
  }
}
