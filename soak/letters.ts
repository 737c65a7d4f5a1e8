import type { Queue } from 'signalbox';
import type { FoundLetter } from './account.js';
import { groupsOf, topicNames } from './plan.js';
import { bodySchema, type SoakTopics } from './topics.js';

/** All dead letters of a run. */
export async function findLetters(queue: Pick<Queue, 'admin'>, topics: SoakTopics): Promise<FoundLetter[]> {
  const found: FoundLetter[] = [];
  for (const name of topicNames) {
    for (const group of groupsOf[name]) {
      let cursor: string | null = null;
      do {
        const page: Awaited<ReturnType<ReturnType<Queue['admin']['deadLetters']>['list']>> = await queue.admin
          .deadLetters(topics[name], group)
          .list({ limit: 1_000, cursor });
        for (const { bodyText, death } of page.letters) {
          const { n } = bodySchema.parse(JSON.parse(bodyText));
          found.push({ n, group, cause: death?.cause ?? 'lost letter' });
        }
        cursor = page.next;
      } while (cursor !== null);
    }
  }
  return found;
}
