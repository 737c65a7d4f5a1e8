import { randomUUID } from 'node:crypto';
import { type Driver, Refusal, type TopicTopology } from './driver.js';
import { QueueError } from './errors.js';
import { classifyWith } from './failure.js';
import { asked, groupName } from './move-look.js';
import { isMarker, markerName } from './move-marker.js';
import { topologyDifferences } from './topology-differences.js';

export interface NamedGroup {
  readonly topic: string;
  readonly group: string;
}

/**
 * Looks whether the target takes the topics of a source, before anything is done to either. Rejects with `unsupported` for more lanes than
 * its backend has, `invalid` for a name that is too long there, `topology-mismatch` for another topic of the same name, and `invalid`
 * where it is the source itself. Answers which of the groups are paused there.
 */
export async function demandRoom(
  from: Driver,
  to: Driver,
  topics: readonly TopicTopology[],
): Promise<readonly NamedGroup[]> {
  for (const topic of topics) demandFit(topic, to);
  const there = await asked('look at the queue that is moved to', to, () => to.admin.topics());
  demandSameTopics(there, topics, to);
  await demandAnotherQueue(from, to, topics, there);
  const paused: NamedGroup[] = [];
  for (const { name: topic, groups } of topics) {
    const known = there.find(({ name }) => name === topic)?.groups ?? [];
    for (const { name: group } of groups) {
      if (!known.some(({ name }) => name === group)) continue;
      const depth = await asked('look at the queue that is moved to', to, () => to.admin.depth(topic, group));
      if (depth.paused) paused.push({ topic, group });
    }
  }
  return paused;
}

function demandFit({ name, lanes, groups }: TopicTopology, { name: backend, capabilities }: Driver): void {
  const refuse = (code: 'unsupported' | 'invalid', what: string): never => {
    throw new QueueError(
      `cannot move a queue to ${backend}: ${what}; nothing was changed: move to another backend, or let this topic be consumed where it is`,
      { code, backend },
    );
  };
  const { ordering, limits } = capabilities;
  if (lanes > ordering.lanes)
    refuse('unsupported', `topic "${name}" has ${lanes} lanes, and ${backend} takes at most ${ordering.lanes}`);
  for (const each of [name, ...groups.map((group) => group.name)]) {
    const bytes = Buffer.byteLength(each);
    if (bytes > limits.nameBytes)
      refuse('invalid', `the name "${each}" of topic "${name}" has ${bytes} bytes, and ${limits.nameBytes} are taken`);
  }
}

function demandSameTopics(there: readonly TopicTopology[], topics: readonly TopicTopology[], to: Driver): void {
  try {
    topologyDifferences(there, { topics }, { mode: 'assert', change: false });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new QueueError(
      `cannot move a queue to ${to.name}: there, ${error.message}; nothing was changed: name a target that is empty, or whose topics are the same`,
      { code: error.code, backend: to.name, cause: error },
    );
  }
}

/**
 * A queue that is moved onto itself never ends. One server is reached by many addresses, and no two backends name themselves alike: so a
 * group that gets nothing is added to the target for a moment, and looked for in the source. Only where the target has every group of the
 * source, as the source itself has.
 */
async function demandAnotherQueue(
  from: Driver,
  to: Driver,
  topics: readonly TopicTopology[],
  there: readonly TopicTopology[],
): Promise<void> {
  if (from.name !== to.name) return;
  const groupsThere = new Set(there.flatMap((topic) => topic.groups.map(({ name }) => groupName(topic.name, name))));
  const all = topics.flatMap((topic) => topic.groups.map(({ name }) => groupName(topic.name, name)));
  if (!all.every((name) => groupsThere.has(name))) return;
  // Each lane may cost a queue.
  const fewestLanesFirst = [...topics].sort((one, other) => one.lanes - other.lanes);
  const isMarked = async (topic: string, group: string): Promise<boolean> => {
    const seen = await asked('look at the queue that is moved', from, () => from.admin.topics());
    return seen.some(({ name, groups }) => name === topic && groups.some((each) => each.name === group));
  };
  for (const { name: topic } of fewestLanesFirst) {
    const group = markerName();
    if (!(await mark(to, topic, group))) continue;
    try {
      if (!(await isMarked(topic, group))) return;
    } finally {
      await unmark(to, topic);
    }
    throw new QueueError(
      'cannot move a queue: both URLs lead to the same one, by two addresses; nothing was changed: name another backend',
      { code: 'invalid', backend: to.name },
    );
  }
}

/** Answers whether the topic takes groups: one on a foreign topology does not. */
function mark(to: Driver, topic: string, name: string): Promise<boolean> {
  return asked('mark the queue that is moved to', to, async () => {
    try {
      await to.admin.addGroup(topic, { name, patterns: [randomUUID()] });
      return true;
    } catch (error) {
      const { code } = classifyWith(to)(error);
      if (code === 'unsupported' || code === 'invalid') return false;
      throw error;
    }
  });
}

/** Those of moves that were killed as well. */
function unmark(to: Driver, topic: string): Promise<void> {
  return asked('unmark the queue that is moved to', to, async () => {
    const found = (await to.admin.topics()).find(({ name }) => name === topic);
    for (const { name } of found?.groups ?? []) if (isMarker(name)) await to.admin.removeGroup(topic, name);
  });
}
