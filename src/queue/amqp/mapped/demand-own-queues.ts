import { Refusal } from '../../driver.js';
import type { TopicShape } from '../names.js';
import { mappingOfGroup } from './mapping-of-group.js';

/** A topic with the names of its groups. */
export interface ShapeWithGroups {
  readonly shape: TopicShape;
  readonly groups: readonly string[];
}

/**
 * Throws an `unsupported` refusal where a group of the asked topics has a mapped queue, or dead-letter queue, that holds something
 * else as well: another group's messages or letters, or its own letters beside its messages. Groups on one queue take messages
 * from each other; of letters in one queue nobody can tell whose they are, and redriving moves all of them. `others`:
 * topics that exist besides.
 */
export function demandOwnQueues(asked: readonly ShapeWithGroups[], others: readonly ShapeWithGroups[]): void {
  const holds = new Map(others.flatMap(usesOf).map(({ queue, what }) => [queue, what]));
  for (const { queue, what } of asked.flatMap(usesOf)) {
    const other = holds.get(queue);
    if (other !== undefined) {
      throw new Refusal(
        'unsupported',
        `${what} are mapped onto queue "${queue}", which has ${other}`,
        'give each a queue of its own: they would take from each other',
      );
    }
    holds.set(queue, what);
  }
}

function usesOf({ shape, groups }: ShapeWithGroups): readonly { readonly queue: string; readonly what: string }[] {
  const { mapping, name } = shape;
  if (!mapping) return [];
  return groups.flatMap((group) => {
    const mapped = mappingOfGroup(mapping, group);
    if (mapped === null) return [];
    const whose = `of group "${group}" of topic "${name}"`;
    const waiting = { queue: mapped.queue, what: `the messages ${whose}` };
    if (mapped.deadLetters === null) return [waiting];
    return [waiting, { queue: mapped.deadLetters.queue, what: `the dead letters ${whose}` }];
  });
}
