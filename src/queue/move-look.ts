import type { Depth, Driver, SignsOfUse, TopicTopology } from './driver.js';
import { QueueError } from './errors.js';
import { wrapError } from './failure.js';
import { isMarker } from './move-marker.js';

/** What stays in the source. */
export interface MoveRest {
  /** In the groups, ready or delayed: published meanwhile, or held up by a consumer that keeps its lane. */
  readonly waiting: number;
  /** Delayed messages that fall due by themselves; run it again then, or with `wait`. */
  readonly inTransit: number;
  /** In hand with consumers of the source; 0 where the source cannot tell. */
  readonly inHand: number;
  /** Of groups that are gone: there is no place for them. */
  readonly lostLetters: number;
}

/** What is in the source, per group, as far as it can tell. */
export interface MovePlan {
  readonly groups: readonly { readonly topic: string; readonly group: string; readonly depth: Depth }[];
  readonly left: MoveRest;
}

export interface Look extends MovePlan {
  readonly signs: SignsOfUse;
  /** `left.inTransit` as it was before the groups were counted. */
  readonly inTransitBefore: number;
}

/** The topics of a source with those groups that are moved. Rejects with `not-found` where nobody has declared any. */
export async function movedTopics(
  from: Driver,
  skipGroup: (group: string) => boolean,
): Promise<readonly TopicTopology[]> {
  const topics = await asked('move a queue', from, () => from.admin.topics());
  if (topics.length > 0)
    return topics.map((topic) => ({
      ...topic,
      groups: topic.groups.filter(({ name }) => !skipGroup(name) && !isMarker(name)),
    }));
  throw new QueueError(
    `cannot move a queue from ${from.name}: no topic was ever declared there; name the queue that is to be emptied`,
    { code: 'not-found', backend: from.name },
  );
}

export function lookAt(from: Driver, topics: readonly TopicTopology[]): Promise<Look> {
  return asked('look at the queue that is moved', from, async () => {
    const inTransitBefore = await inTransitOf(from);
    const groups: { topic: string; group: string; depth: Depth }[] = [];
    for (const { name: topic, groups: named } of topics)
      for (const { name: group } of named) groups.push({ topic, group, depth: await from.admin.depth(topic, group) });
    const signs = (await from.admin.signsOfUse?.()) ?? { others: [], counter: null };
    return { groups, left: await restOf(from, groups), signs, inTransitBefore };
  });
}

async function restOf(from: Driver, groups: MovePlan['groups']): Promise<MoveRest> {
  return {
    waiting: groups.reduce((sum, { depth }) => sum + (depth.ready ?? 0) + (depth.delayed ?? 0), 0),
    inTransit: await inTransitOf(from),
    inHand: groups.reduce((sum, { depth }) => sum + (depth.inHand ?? 0), 0),
    lostLetters: (await from.admin.letters({ kind: 'lost' }, { limit: 1, cursor: null })).total ?? 0,
  };
}

async function inTransitOf(from: Driver): Promise<number> {
  return (await from.admin.inTransit?.()) ?? 0;
}

/** One name for a group of a topic, to know it by. */
export function groupName(topic: string, group: string): string {
  return JSON.stringify([topic, group]);
}

/** What goes wrong is a `QueueError` of that operation. */
export async function asked<T>(operation: string, driver: Driver, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw error instanceof QueueError ? error : wrapError(operation, driver, error);
  }
}
