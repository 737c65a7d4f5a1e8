import { Refusal, type TopicTopology } from '../../driver.js';
import { deadLetterKeys, hasWildcard } from './dead-letter-keys.js';
import { isAll } from './mapped-bindings.js';
import type { Mapping, QueueMapping } from './mapped-topic.js';
import { mappingOfGroup } from './mapping-of-group.js';

/** Throws a refusal for what a topic asks for and the objects that it is mapped onto cannot do. */
export function demandMappable(topic: TopicTopology, mapping: Mapping): void {
  const object = `topic "${topic.name}"`;
  if (topic.ordering === 'key') {
    throw new Refusal(
      'unsupported',
      `${object} is ordered by key and mapped onto queues that have no lanes`,
      "declare it with ordering: 'none', or do not map it",
    );
  }
  if (mapping.exchange === null && topic.groups.length > 1) {
    throw new Refusal(
      'unsupported',
      `${object} has ${topic.groups.length} groups and is published to one queue directly`,
      'map it onto an exchange, or leave it one group',
    );
  }
  for (const { name, patterns } of topic.groups) {
    const group = mappingOfGroup(mapping, name);
    const what = `group "${name}" of ${object}`;
    if (group === null) {
      throw new Refusal('invalid', `${what} is mapped onto no queue`, 'name its queue in the mapping, or one for "*"');
    }
    demandSelectable(what, mapping, group, patterns);
    if (deadLetterKeys(mapping, group, patterns) === null) throw noDeadLetterKey(what, group);
  }
}

function demandSelectable(what: string, { exchange }: Mapping, group: QueueMapping, patterns: readonly string[]): void {
  if (exchange === null || group.bindings !== null || group.passive) {
    if (isAll(patterns)) return;
    const whose = group.bindings === null ? 'is bound by somebody else, or not at all,' : 'has bindings in its mapping';
    throw new Refusal('invalid', `${what} ${whose} and has patterns as well`, 'leave the patterns out');
  }
  const { name, type } = exchange;
  if (type === 'topic') return;
  if (type === 'fanout' && isAll(patterns)) return;
  if (type === 'direct' && (isAll(patterns) || !patterns.some(hasWildcard))) return;
  if (type === 'fanout' || type === 'direct') {
    throw new Refusal(
      'unsupported',
      `${what} has patterns by which the ${type} exchange "${name}" cannot select`,
      type === 'fanout' ? 'leave them out' : 'use literal ones, or a topic exchange',
    );
  }
  throw new Refusal('invalid', `${what} has no bindings to the ${type} exchange "${name}"`, 'give them in its mapping');
}

function noDeadLetterKey(what: string, { deadLetters }: QueueMapping): Refusal {
  const exchange = `the ${deadLetters?.exchange?.type} exchange "${deadLetters?.exchange?.name}"`;
  return new Refusal(
    'invalid',
    `${what} dead-letters into ${exchange} with keys that nobody can tell, so that what it brings to no queue is lost`,
    'give deadLetters a routingKey to dead-letter with, or the bindingKey of its queue; or use a fanout or topic exchange',
  );
}
