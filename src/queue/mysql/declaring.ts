import {
  type DeclareOptions,
  type DeclareReport,
  type GroupTopology,
  type TopicTopology,
  type Topology,
  topologyDifferences,
} from '../driver.js';
import { readTopics, requireTopic, type Topics, topologiesOf } from './catalogue.js';
import type { Link } from './link.js';
import { bytes } from './sql-values.js';
import { lettersFromDelayed, strandedToGroup } from './stranded.js';
import type { Tables } from './tables.js';

/**
 * Looks first, and writes only where something differs: a write waits for every open REPEATABLE READ transaction that has
 * published to the topic, and new ones then wait for the write (1 s behind 1 s, measured). Runs inside a transaction.
 */
export async function declareTopology(
  link: Link,
  tables: Tables,
  topology: Topology,
  options: DeclareOptions,
): Promise<DeclareReport> {
  const before = topologyDifferences(topologiesOf(await readTopics(link, tables)), topology, options);
  if (options.mode === 'check') return before;
  const wanted = [...topology.topics].sort((one, other) => (one.name < other.name ? -1 : 1));
  if (isNothing(before)) {
    await noteAdvice(link, tables, await readTopics(link, tables), wanted);
    return before;
  }
  const made = new Set(createdTopics(before, wanted));
  for (const topic of wanted) if (made.has(`topic "${topic.name}"`)) await createTopic(link, tables, topic);
  // From here on no other declaration changes these topics: what is still missing is ours to write.
  await lockTopics(link, tables, wanted);
  const there = await readTopics(link, tables);
  const report = topologyDifferences(topologiesOf(there), topology, options);
  for (const topic of wanted) await writeGroups(link, tables, there, topic);
  await noteAdvice(link, tables, there, wanted);
  // Topics were made above, so the second look does not see that they were missing: what the first one saw and nobody else made.
  return { created: [...new Set([...made, ...report.created])], changed: report.changed };
}

/** Rejects with a `not-found` or `topology-mismatch` refusal. Runs inside a transaction. */
export async function addGroup(link: Link, tables: Tables, topicName: string, group: GroupTopology): Promise<void> {
  const asked = (topics: Topics): TopicTopology => {
    const { name, ordering, lanes, maxRedeliveries, expectedDelaysMs } = requireTopic(topics, topicName);
    return { name, ordering, lanes, maxRedeliveries, expectedDelaysMs, groups: [group] };
  };
  const differences = (topics: Topics): DeclareReport =>
    topologyDifferences(topologiesOf(topics), { topics: [asked(topics)] }, { mode: 'assert', change: false });
  const seen = await readTopics(link, tables);
  if (isNothing(differences(seen))) return;
  await lockTopics(link, tables, [asked(seen)]);
  const there = await readTopics(link, tables);
  differences(there);
  await writeGroups(link, tables, there, asked(there));
}

/** Answers the group's id, or null where there was none; its waiting rows are left for `emptyBox`. Runs inside a transaction. */
export async function removeGroup(link: Link, tables: Tables, topicName: string, name: string): Promise<number | null> {
  const seen = requireTopic(await readTopics(link, tables), topicName);
  if (!seen.groups.has(name)) return null;
  await lockTopics(link, tables, [seen]);
  const topic = requireTopic(await readTopics(link, tables), topicName);
  const group = topic.groups.get(name);
  if (group === undefined) return null;
  await link.rows(`select id from ${tables.groups} where id = ? for update`, [group.id]);
  await link.write(`delete from ${tables.messages} where box = ? and stage in (1, 3)`, [group.id]);
  await lettersFromDelayed(link, tables, group);
  await link.write(`delete from ${tables.letters} where box = ?`, [group.id]);
  await link.write(`delete from ${tables.groups} where id = ?`, [group.id]);
  await raiseVersion(link, tables, topic.id);
  return group.id;
}

/** Deletes what still waits in a box whose group is gone, a little at a time. Answers how many rows; fewer than `limit`: it is empty. */
export async function emptyBox(link: Link, tables: Tables, box: number, limit: number): Promise<number> {
  const { affectedRows } = await link.write(`delete from ${tables.messages} where box = ? limit ?`, [box, limit]);
  return affectedRows;
}

async function createTopic(link: Link, { topics }: Tables, topic: TopicTopology): Promise<void> {
  const { name, ordering, lanes } = topic;
  await link.write(
    `insert ignore into ${topics} (name, ordering, lanes, max_redeliveries, expected_delays) values (?, ?, ?, ?, ?)`,
    [bytes(name), bytes(ordering), lanes, ...adviceOf(topic)],
  );
}

async function lockTopics(link: Link, { topics }: Tables, named: readonly { readonly name: string }[]): Promise<void> {
  await link.rows(`select id from ${topics} where name in (?) order by name for update`, [
    named.map(({ name }) => bytes(name)),
  ]);
}

async function writeGroups(link: Link, tables: Tables, there: Topics, wanted: TopicTopology): Promise<void> {
  const topic = requireTopic(there, wanted.name);
  let changed = false;
  const patternsBefore = new Map([...topic.groups.values()].map(({ name, patterns }) => [name, patterns]));
  for (const { name, patterns } of wanted.groups) {
    const before = patternsBefore.get(name);
    if (before !== undefined && sameSet(before, patterns)) continue;
    patternsBefore.set(name, patterns);
    changed = true;
    const json = bytes(JSON.stringify(patterns));
    if (before === undefined) {
      const { insertId } = await link.write(
        `insert into ${tables.groups} (topic_id, name, patterns) values (?, ?, ?)`,
        [topic.id, bytes(name), json],
      );
      await strandedToGroup(link, tables, { id: insertId, name, topic });
    } else {
      await link.write(`update ${tables.groups} set patterns = ? where topic_id = ? and name = ?`, [
        json,
        topic.id,
        bytes(name),
      ]);
    }
  }
  if (changed) await raiseVersion(link, tables, topic.id);
}

async function raiseVersion(link: Link, { topics }: Tables, topicId: number): Promise<void> {
  await link.write(`update ${topics} set version = version + 1 where id = ?`, [topicId]);
}

/** What the backend keeps only to be able to answer for it: the newest that anybody said. */
async function noteAdvice(
  link: Link,
  { topics }: Tables,
  there: Topics,
  wanted: readonly TopicTopology[],
): Promise<void> {
  for (const topic of wanted) {
    const old = requireTopic(there, topic.name);
    const same =
      old.maxRedeliveries === topic.maxRedeliveries &&
      JSON.stringify(old.expectedDelaysMs) === JSON.stringify(topic.expectedDelaysMs);
    if (same) continue;
    await link.write(`update ${topics} set max_redeliveries = ?, expected_delays = ? where name = ?`, [
      ...adviceOf(topic),
      bytes(topic.name),
    ]);
  }
}

function adviceOf({ maxRedeliveries, expectedDelaysMs }: TopicTopology): readonly [number, Buffer] {
  return [Number.isFinite(maxRedeliveries) ? maxRedeliveries : -1, bytes(JSON.stringify(expectedDelaysMs))];
}

function createdTopics({ created }: DeclareReport, topics: readonly TopicTopology[]): readonly string[] {
  const named = new Set(topics.map(({ name }) => `topic "${name}"`));
  return created.filter((object) => named.has(object));
}

function isNothing({ created, changed }: DeclareReport): boolean {
  return created.length + changed.length === 0;
}

function sameSet(one: readonly string[], other: readonly string[]): boolean {
  const [ones, others] = [new Set(one), new Set(other)];
  return ones.size === others.size && [...ones].every((item) => others.has(item));
}
