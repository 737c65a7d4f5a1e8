import { anyGroup, type Mapping, type QueueMapping } from './mapped-topic.js';

/** The objects of one group; null where the mapping has none for it. */
export function mappingOfGroup({ groups }: Mapping, group: string): QueueMapping | null {
  if (group !== anyGroup && Object.hasOwn(groups, group)) return groups[group] ?? null;
  const pattern = Object.hasOwn(groups, anyGroup) ? groups[anyGroup] : undefined;
  if (pattern === undefined) return null;
  return named(pattern, group);
}

/** With `{group}` replaced in every text: names, keys, values of arguments. */
function named<T>(value: T, group: string): T;
function named(value: unknown, group: string): unknown {
  if (typeof value === 'string') return value.replaceAll('{group}', () => group);
  if (Array.isArray(value)) return value.map((each) => named(each, group));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, named(each, group)]));
}
