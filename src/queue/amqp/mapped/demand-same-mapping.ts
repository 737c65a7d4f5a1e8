import { isDeepStrictEqual } from 'node:util';
import { Refusal } from '../../driver.js';
import type { Mapping, QueueMapping } from './mapped-topic.js';
import { mappingOfGroup } from './mapping-of-group.js';

/**
 * Throws a `topology-mismatch` refusal where a topic exists on other objects than are asked for, for the groups that exist
 * already. Null: on objects of our own.
 */
export function demandSameMapping(
  topic: string,
  groups: readonly string[],
  exists: Mapping | null,
  asked: Mapping | null,
): void {
  const object = `topic "${topic}"`;
  if (exists === null || asked === null) {
    if (exists !== asked) throw mismatch(object, 'mapping', exists?.exchange ?? exists, asked?.exchange ?? asked);
    return;
  }
  demandSame(object, 'exchange', exists.exchange, asked.exchange);
  demandSame(object, 'routing key', exists.routingKey, asked.routingKey);
  for (const name of groups) {
    const [old, other] = [mappingOfGroup(exists, name), mappingOfGroup(asked, name)];
    if (old === null || other === null) continue;
    const [there, wanted] = [identityOf(old), identityOf(other)];
    for (const argument of Object.keys(wanted) as (keyof typeof wanted)[]) {
      demandSame(`group "${name}" of ${object}`, argument, there[argument], wanted[argument]);
    }
  }
}

/** Without what its dead-letter queue is bound with: another key is bound besides, and nobody loses anything by it. */
function identityOf({ deadLetters, ...group }: QueueMapping) {
  if (deadLetters === null) return { ...group, deadLetters };
  const { bindingKey: _, ...rest } = deadLetters;
  return { ...group, deadLetters: rest };
}

function demandSame(object: string, argument: string, exists: unknown, asked: unknown): void {
  if (!isDeepStrictEqual(exists, asked)) throw mismatch(object, argument, exists, asked);
}

function mismatch(object: string, argument: string, exists: unknown, asked: unknown): Refusal {
  return new Refusal(
    'topology-mismatch',
    `${object} exists with ${argument} ${JSON.stringify(exists)}, asked for ${JSON.stringify(asked)}`,
    'give the same mapping to all programs, or use another prefix',
  );
}
