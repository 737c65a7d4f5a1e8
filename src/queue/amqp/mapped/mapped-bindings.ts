import { matches } from '../../driver.js';
import type { AmqpArguments, Mapping, QueueMapping } from './mapped-topic.js';

export interface KeyAndArguments {
  readonly routingKey: string;
  readonly arguments: AmqpArguments;
}

/** How a group's queue is bound to the mapped exchange; empty where it is not, or somebody else does it. */
export function mappedBindings(
  mapping: Mapping,
  group: QueueMapping,
  patterns: readonly string[],
): readonly KeyAndArguments[] {
  if (mapping.exchange === null) return [];
  if (group.bindings !== null) return group.bindings;
  if (group.passive) return [];
  if (mapping.exchange.type === 'fanout') return [{ routingKey: '', arguments: {} }];
  return keysOf(mapping, patterns).map((routingKey) => ({ routingKey, arguments: {} }));
}

/** On a direct exchange, "all" is what is published with the topic's own key. */
function keysOf({ exchange, routingKey }: Mapping, patterns: readonly string[]): readonly string[] {
  return exchange?.type === 'direct' && isAll(patterns) ? [routingKey] : patterns;
}

export function isAll(patterns: readonly string[]): boolean {
  return patterns.length === 1 && patterns[0] === '#';
}

/**
 * Whether a message that is published to the mapped exchange reaches a group's queue, as far as can be told from here: whoever
 * binds by himself, or has an exchange of a plugin, is taken at the word of the group's patterns.
 */
export function reaches(
  mapping: Mapping,
  group: QueueMapping,
  patterns: readonly string[],
  message: { readonly routingKey: string | null; readonly headers: Readonly<Record<string, string>> },
): boolean {
  const type = mapping.exchange?.type ?? 'fanout';
  if (type === 'fanout') return true;
  const key = message.routingKey ?? mapping.routingKey;
  const bindings = mappedBindings(mapping, group, patterns);
  if (bindings.length === 0) return patterns.some((pattern) => matches(pattern, key));
  return bindings.some((binding) => {
    if (type === 'direct') return binding.routingKey === key;
    if (type === 'topic') return matches(binding.routingKey, key);
    return type === 'headers' ? fits(binding.arguments, message.headers) : true;
  });
}

/** RabbitMQ's headers exchange: all must be equal unless `x-match` says any; `x-` arguments count only where it says `-with-x`. */
function fits(wanted: AmqpArguments, headers: Readonly<Record<string, string>>): boolean {
  const match = String(wanted['x-match'] ?? 'all');
  const compared = Object.entries(wanted).filter(
    ([name]) => name !== 'x-match' && (match.endsWith('-with-x') || !name.startsWith('x-')),
  );
  const agrees = ([name, value]: readonly [string, unknown]): boolean =>
    Object.hasOwn(headers, name) && headers[name] === value;
  return match.startsWith('any') ? compared.some(agrees) : compared.every(agrees);
}
