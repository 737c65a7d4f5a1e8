import { Refusal } from '../../driver.js';
import type { TopicShape } from '../names.js';
import { mappingOfGroup } from './mapping-of-group.js';

/**
 * Throws an `unsupported` refusal for a group whose queue the broker deletes when nobody consumes it, at once (`autoDelete`) or after a
 * while (`x-expires`): whoever pauses stops its consumers, and what waits would be lost.
 */
export function demandPausable(topic: TopicShape, group: string): void {
  const mapped = topic.mapping ? mappingOfGroup(topic.mapping, group) : null;
  if (mapped === null || mapped.passive) return;
  const why = mapped.autoDelete ? 'autoDelete' : 'x-expires';
  if (!mapped.autoDelete && !Object.hasOwn(mapped.arguments, why)) return;
  throw new Refusal(
    'unsupported',
    `group "${group}" of topic "${topic.name}" is on queue "${mapped.queue}" with ${why}: the broker would delete it with all that waits, as a pause leaves it without a consumer`,
    'stop those who publish to it, or use a queue that stays',
  );
}
