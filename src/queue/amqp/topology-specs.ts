import type { CatalogueGroup } from './catalogue-content.js';
import { deadLetterKeys } from './mapped/dead-letter-keys.js';
import { mappedBindings } from './mapped/mapped-bindings.js';
import type { Mapping, QueueMapping } from './mapped/mapped-topic.js';
import { mappingOfGroup } from './mapped/mapping-of-group.js';
import type { Names, TopicShape } from './names.js';
import {
  type Arguments,
  type BindingSpec,
  exchangeSpec,
  type ObjectSpec,
  type QueueSpec,
  queueSpec,
} from './object-spec.js';
import { delayQueue, groupQueue, keptQueue, type QueueType } from './queue-arguments.js';

/** What decides how queues of ours are made. */
export interface QueueTypes {
  /** Of the queues of groups. */
  readonly queueType: QueueType;
  /** Of the movers' queue. */
  readonly dueQueueType: QueueType;
}

/** All lanes of a topic. */
export function lanesOf({ lanes }: TopicShape): readonly number[] {
  return Array.from({ length: lanes }, (_, lane) => lane);
}

/** What a topic is published to, where that is an exchange. */
export function exchangesOf(names: Names, topic: TopicShape): readonly string[] {
  return [...new Set(lanesOf(topic).map((lane) => names.exchange(topic, lane)))].filter((exchange) => exchange !== '');
}

/** The exchanges that are published to. */
export function exchangeSpecs(names: Names, topic: TopicShape): readonly ObjectSpec[] {
  const { mapping } = topic;
  if (!mapping) return lanesOf(topic).map((lane) => exchangeSpec(names.exchange(topic, lane), 'topic'));
  return mapping.exchange === null ? [] : [{ kind: 'exchange', ...mapping.exchange }];
}

/** What waits for a group, and its dead letters. */
export function queueSpecs(
  names: Names,
  { queueType }: QueueTypes,
  topic: TopicShape,
  group: string,
): readonly ObjectSpec[] {
  const mapped = topic.mapping ? mappingOfGroup(topic.mapping, group) : null;
  if (mapped !== null) return mappedQueueSpecs(names, topic, group, mapped);
  const waiting = groupQueue(queueType, topic.ordering === 'key');
  return [
    ...lanesOf(topic).map((lane) => queueSpec(names.queue(topic, group, lane), waiting)),
    queueSpec(names.dead(topic, group), keptQueue('quorum')),
  ];
}

/** The dead-letter exchange first: declaring a queue with one asks for the right to write to it, not that it is there; but it should be. */
function mappedQueueSpecs(names: Names, topic: TopicShape, group: string, mapped: QueueMapping): readonly ObjectSpec[] {
  const { queue, passive, durable, exclusive, autoDelete, deadLetters } = mapped;
  const waiting: QueueSpec = {
    ...{ kind: 'queue', name: queue, passive, durable, exclusive, autoDelete },
    arguments: { ...mapped.arguments, ...deadLetterArguments(mapped) },
  };
  if (deadLetters === null) return [waiting, queueSpec(names.dead(topic, group), keptQueue('quorum'))];
  const { expireAfterMs, exchange } = deadLetters;
  const dead: QueueSpec = {
    ...{ kind: 'queue', name: deadLetters.queue, passive: deadLetters.passive, durable: deadLetters.durable },
    ...{ exclusive: false, autoDelete: false },
    arguments: { ...deadLetters.arguments, ...(expireAfterMs === null ? {} : { 'x-message-ttl': expireAfterMs }) },
  };
  return [...(exchange === null ? [] : [{ kind: 'exchange', ...exchange } as const]), dead, waiting];
}

function deadLetterArguments({ deadLetters }: QueueMapping): Arguments {
  if (!deadLetters?.exchange) return {};
  const { exchange, routingKey } = deadLetters;
  return {
    'x-dead-letter-exchange': exchange.name,
    ...(routingKey === null ? {} : { 'x-dead-letter-routing-key': routingKey }),
  };
}

/** What a group's patterns are in a broker, and what is left of those that it had. */
export function bindingSpecs(
  names: Names,
  topic: TopicShape,
  group: string,
  { patterns, dropped }: Pick<CatalogueGroup, 'patterns' | 'dropped'>,
): readonly BindingSpec[] {
  const mapped = topic.mapping ? mappingOfGroup(topic.mapping, group) : null;
  if (topic.mapping && mapped !== null) return mappedBindingSpecs(topic.mapping, mapped, { patterns, dropped });
  const of = (pattern: string, undo: boolean): readonly BindingSpec[] =>
    lanesOf(topic).map((lane) => ({
      kind: 'binding',
      // Each lane's queue is bound to the same lane's exchange.
      queue: names.queue(topic, group, lane),
      exchange: names.exchange(topic, lane),
      routingKey: pattern,
      arguments: {},
      undo,
    }));
  return [...patterns.flatMap((each) => of(each, false)), ...dropped.flatMap((each) => of(each, true))];
}

function mappedBindingSpecs(
  mapping: Mapping,
  group: QueueMapping,
  { patterns, dropped }: Pick<CatalogueGroup, 'patterns' | 'dropped'>,
): readonly BindingSpec[] {
  const exchange = mapping.exchange?.name ?? '';
  const wanted = mappedBindings(mapping, group, patterns);
  const over = dropped.length === 0 ? [] : mappedBindings(mapping, group, dropped);
  const gone = over.filter(({ routingKey }) => !wanted.some((each) => each.routingKey === routingKey));
  const { deadLetters } = group;
  // Not undone with dropped patterns: messages that came by them may still wait.
  const dead = (deadLetterKeys(mapping, group, patterns) ?? []).map((routingKey) =>
    binding(deadLetters?.queue ?? '', deadLetters?.exchange?.name ?? '', { routingKey, arguments: {} }, false),
  );
  return [
    ...dead,
    ...wanted.map((each) => binding(group.queue, exchange, each, false)),
    ...gone.map((each) => binding(group.queue, exchange, each, true)),
  ];
}

function binding(
  queue: string,
  exchange: string,
  { routingKey, arguments: args }: { readonly routingKey: string; readonly arguments: Arguments },
  undo: boolean,
): BindingSpec {
  return { kind: 'binding', queue, exchange, routingKey, arguments: args, undo };
}

/** The movers' queue, the lost letters, and where those who read are counted. */
export function baseSpecs(names: Names, { dueQueueType }: QueueTypes): readonly ObjectSpec[] {
  return [
    queueSpec(names.due, keptQueue(dueQueueType)),
    queueSpec(names.lost, keptQueue('quorum')),
    queueSpec(names.readers, keptQueue(dueQueueType)),
  ];
}

/** Where those who read are counted, and how they hear of pauses. */
export function readersSpecs(names: Names, { dueQueueType }: QueueTypes): readonly ObjectSpec[] {
  return [exchangeSpec(names.changes, 'fanout'), queueSpec(names.readers, keptQueue(dueQueueType))];
}

export function delaySpecs(names: Names, delaysMs: readonly number[]): readonly QueueSpec[] {
  return delaysMs.map((ms) => queueSpec(names.delay(ms), delayQueue(names, ms)));
}

/** Where it is written what is declared, and where it is told that something is gone. */
export function catalogueSpecs(names: Names): readonly ObjectSpec[] {
  return [exchangeSpec(names.changes, 'fanout'), queueSpec(names.catalogue, keptQueue('quorum'))];
}
