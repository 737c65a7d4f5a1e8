import { mappedBindings } from './mapped-bindings.js';
import type { Mapping, QueueMapping } from './mapped-topic.js';

/**
 * What a group's dead-letter queue is bound to its dead-letter exchange with, so that whatever another program or the broker
 * dead-letters reaches it: unbound, it would be dropped without a word. Empty where there is nothing to bind, or somebody else does it;
 * null where the keys cannot be told, and the mapping must say one.
 */
export function deadLetterKeys(
  mapping: Mapping,
  group: QueueMapping,
  patterns: readonly string[],
): readonly string[] | null {
  const { deadLetters } = group;
  if (!deadLetters?.exchange || deadLetters.passive) return [];
  const { exchange, bindingKey, routingKey } = deadLetters;
  if (bindingKey !== null) return [bindingKey];
  // A headers exchange matches everything where no header is asked for.
  if (exchange.type === 'fanout' || exchange.type === 'headers') return [''];
  if (exchange.type === 'topic') return [routingKey ?? '#'];
  if (exchange.type !== 'direct') return null;
  return routingKey !== null ? [routingKey] : keysOfMessages(mapping, group, patterns);
}

/** What messages have that are in the queue: its own name is what retries have, which are published to it directly. */
function keysOfMessages(mapping: Mapping, group: QueueMapping, patterns: readonly string[]): readonly string[] | null {
  const { queue } = group;
  if (mapping.exchange === null) return [queue];
  const keys = mappedBindings(mapping, group, patterns).map(({ routingKey }) => routingKey);
  const literal = mapping.exchange.type === 'direct' || (mapping.exchange.type === 'topic' && !keys.some(hasWildcard));
  return literal && keys.length > 0 ? [...new Set([...keys, queue])] : null;
}

export function hasWildcard(pattern: string): boolean {
  return pattern.split('.').some((word) => word === '*' || word === '#');
}
