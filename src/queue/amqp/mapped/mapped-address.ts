import { Refusal, type StoredMessage } from '../../driver.js';
import type { CatalogueGroup } from '../catalogue-content.js';
import type { Names, TopicShape } from '../names.js';
import type { Mapping } from './mapped-topic.js';

/**
 * Where a message to a mapped topic is published: the mapped exchange, or the queue of its one group. Throws an `unsupported`
 * refusal where that exchange takes nothing from clients.
 */
export function mappedAddress(
  names: Names,
  topic: TopicShape,
  { exchange, routingKey }: Mapping,
  groups: Readonly<Record<string, CatalogueGroup>>,
  message: StoredMessage,
): { readonly exchange: string; readonly routingKey: string } {
  if (exchange === null) {
    const [group = 'default'] = Object.keys(groups);
    return { exchange: '', routingKey: names.queue(topic, group, 0) };
  }
  if (exchange.internal) {
    throw new Refusal(
      'unsupported',
      `topic "${topic.name}" is mapped onto exchange "${exchange.name}", which is internal and takes nothing from clients`,
      'publish to the exchange that leads there',
    );
  }
  return { exchange: exchange.name, routingKey: message.routingKey ?? routingKey };
}
