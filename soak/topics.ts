import { defineTopic, type Topic } from 'signalbox';
import { z } from 'zod';
import { groupsOf, type TopicName, topicNames } from './plan.js';

export const bodySchema = z.object({ n: z.number(), note: z.string() });
type SoakTopic = Topic<typeof bodySchema>;
export type SoakTopics = Readonly<Record<TopicName, SoakTopic>>;

/** About 200 bytes as JSON. */
export const bodyOf = (n: number): z.input<typeof bodySchema> => ({ n, note: 'n'.repeat(180) });

/** The topics of one run: their names carry it, so that runs on one server never meet. */
export function topicsOf(run: string): SoakTopics {
  const defined = topicNames.map((name) => [
    name,
    defineTopic(`soak-${run}-${name}`, {
      schema: bodySchema,
      groups: Object.fromEntries(groupsOf[name].map((group) => [group, {}])),
      ordering: name === 'ordered' ? 'key' : 'none',
    }),
  ]);
  return Object.fromEntries(defined) as SoakTopics;
}
