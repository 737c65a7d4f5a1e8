import { anyGroup, type Mapping, type QueueMapping } from './mapped-topic.js';

/** The objects of one group; null where the mapping has none for it. */
export function mappingOfGroup({ groups }: Mapping, group: string): QueueMapping | null {
  if (group !== anyGroup && Object.hasOwn(groups, group)) return groups[group] ?? null;
  const pattern = Object.hasOwn(groups, anyGroup) ? groups[anyGroup] : undefined;
  if (pattern === undefined) return null;
  const named = (name: string): string => name.replaceAll('{group}', group);
  const { deadLetters } = pattern;
  return {
    ...pattern,
    queue: named(pattern.queue),
    bindings: pattern.bindings?.map((each) => ({ ...each, routingKey: named(each.routingKey) })) ?? null,
    deadLetters: deadLetters === null ? null : { ...deadLetters, queue: named(deadLetters.queue) },
  };
}
