import { Refusal } from '../driver.js';

export function noTopic(topic: string): Refusal {
  return new Refusal('not-found', `there is no topic "${topic}"`, 'declare it: setup()');
}

export function noGroup(topic: string, group: string): Refusal {
  return new Refusal(
    'not-found',
    `topic "${topic}" has no group "${group}"`,
    "declare it in the topic's groups and run setup(), or add it with admin.addGroup",
  );
}

export function unroutable(topic: string, routingKey: string | null): Refusal {
  const key = routingKey === null ? 'a message without a routing key' : `routing key "${routingKey}"`;
  const remedy = "declare a group whose patterns accept it, or the topic with unmatched: 'discard'";
  return new Refusal('unroutable', `no group of topic "${topic}" accepts ${key}`, remedy);
}
