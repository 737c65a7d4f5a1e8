import { Refusal } from './refusal.js';

/** What a driver says of a topic that its backend does not know. */
export function noTopic(name: string): Refusal {
  return new Refusal('not-found', `there is no topic "${name}"`, 'declare it first: setup()');
}

/** What a driver says of a group that a topic does not have. */
export function noGroup(topic: string, name: string): Refusal {
  const remedy = "declare it among the topic's groups and call setup(), or add it: admin.addGroup()";
  return new Refusal('not-found', `topic "${topic}" has no group "${name}"`, remedy);
}

/** What a driver says of a message that nobody accepts, on a topic that does not discard such. */
export function unroutable(topic: string, routingKey: string | null): Refusal {
  const key = routingKey === null ? 'a message without a routing key' : `routing key "${routingKey}"`;
  const remedy = "declare a group whose patterns accept it, or the topic with unmatched: 'discard'";
  return new Refusal('unroutable', `no group of topic "${topic}" accepts ${key}`, remedy);
}
