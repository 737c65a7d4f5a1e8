import type { DeclareReport, GroupTopology, TopicTopology, Topology } from '../driver.js';
import type { Mapping } from './mapped/mapped-topic.js';
import type { TopicShape } from './names.js';

/** What is declared in a broker, as one JSON text. AMQP can neither list queues nor read bindings. */
export interface CatalogueContent {
  readonly format: 1;
  /** Rises with every change: of two that a crash left behind, the higher one is right. */
  readonly version: number;
  readonly topics: Readonly<Record<string, CatalogueTopic>>;
  /** Delay queues that are durable by now. */
  readonly delaysMs: readonly number[];
}

interface CatalogueTopic {
  readonly ordering: 'none' | 'key';
  readonly lanes: number;
  readonly maxRedeliveries: number;
  readonly expectedDelaysMs: readonly number[];
  readonly groups: Readonly<Record<string, CatalogueGroup>>;
  /** Absent: on exchanges and queues of ours. */
  readonly mapping?: Mapping;
}

export interface CatalogueGroup {
  readonly patterns: readonly string[];
  /** Its queues may not be there, not be durable or not be bound as they should: whoever declares it next finishes that. */
  readonly unfinished: boolean;
  /** Patterns that are to be unbound. */
  readonly dropped: readonly string[];
  /** Nothing of it is handed out. Left out by who never paused it. */
  readonly paused?: boolean;
}

export const emptyCatalogue: CatalogueContent = { format: 1, version: 0, topics: {}, delaysMs: [] };

export function parseCatalogue(text: string): CatalogueContent {
  return JSON.parse(text) as CatalogueContent;
}

export function topologyOf({ topics }: CatalogueContent): readonly TopicTopology[] {
  return sortedByName(
    Object.entries(topics).map(([name, { ordering, lanes, maxRedeliveries, expectedDelaysMs, groups }]) => ({
      name,
      ordering,
      lanes,
      maxRedeliveries,
      expectedDelaysMs,
      groups: sortedByName(Object.entries(groups).map(([group, { patterns }]) => ({ name: group, patterns }))),
    })),
  );
}

/** By code units, like everything that must be the same on every machine. */
function sortedByName<T extends { readonly name: string }>(named: readonly T[]): readonly T[] {
  return [...named].sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0));
}

export function shapeIn({ topics }: CatalogueContent, name: string): TopicShape | null {
  const topic = own(topics, name);
  if (topic === null) return null;
  const { ordering, lanes, mapping } = topic;
  return mapping === undefined ? { name, ordering, lanes } : { name, ordering, lanes, mapping };
}

/** Of which a group is being declared, or was when whoever did it died. */
export function unfinishedTopics({ topics }: CatalogueContent): readonly string[] {
  return Object.keys(topics).filter((topic) =>
    Object.values(topics[topic]?.groups ?? {}).some(({ unfinished }) => unfinished),
  );
}

export function groupsIn({ topics }: CatalogueContent, topic: string): Readonly<Record<string, CatalogueGroup>> {
  return own(topics, topic)?.groups ?? {};
}

export function groupIn(content: CatalogueContent, topic: string, group: string): CatalogueGroup | null {
  return own(groupsIn(content, topic), group);
}

/** A topic may be called `constructor`. */
function own<T>(record: Readonly<Record<string, T>>, name: string): T | null {
  return Object.hasOwn(record, name) ? (record[name] as T) : null;
}

/** With what a declaration creates and changes; the same object where that is nothing. `mappingOf` says which topics are mapped. */
export function withDeclared(
  content: CatalogueContent,
  asked: Topology,
  report: DeclareReport,
  mappingOf: (topic: string) => Mapping | null = () => null,
): CatalogueContent {
  const topics = asked.topics.map(
    (topic) => [topic.name, declaredTopic(own(content.topics, topic.name), topic, mappingOf(topic.name))] as const,
  );
  const isNews = report.created.length + report.changed.length > 0;
  const isAdvice = topics.some(([name, topic]) => !sameAdvice(own(content.topics, name), topic));
  if (!isNews && !isAdvice) return content;
  return { ...content, topics: { ...content.topics, ...Object.fromEntries(topics) } };
}

function declaredTopic(old: CatalogueTopic | null, asked: TopicTopology, mapping: Mapping | null): CatalogueTopic {
  const { ordering, lanes, maxRedeliveries, expectedDelaysMs } = asked;
  const groups = asked.groups.map(({ name, patterns }) => [
    name,
    declaredGroup(old === null ? null : own(old.groups, name), patterns),
  ]);
  return {
    ordering,
    lanes,
    maxRedeliveries,
    expectedDelaysMs,
    groups: { ...old?.groups, ...Object.fromEntries(groups) },
    ...(mapping === null ? {} : { mapping }),
  };
}

function declaredGroup(old: CatalogueGroup | null, patterns: readonly string[]): CatalogueGroup {
  const wanted = [...new Set(patterns)].sort();
  if (old !== null && JSON.stringify([...old.patterns].sort()) === JSON.stringify(wanted)) return old;
  const dropped = [...(old?.patterns ?? []), ...(old?.dropped ?? [])].filter((pattern) => !wanted.includes(pattern));
  return { ...old, patterns: wanted, unfinished: true, dropped };
}

function sameAdvice(old: CatalogueTopic | null, asked: CatalogueTopic): boolean {
  const advice = ({ maxRedeliveries, expectedDelaysMs, mapping }: CatalogueTopic): string =>
    JSON.stringify([maxRedeliveries, expectedDelaysMs, mapping]);
  return old !== null && advice(old) === advice(asked);
}

export function withGroup(
  content: CatalogueContent,
  topic: string,
  name: string,
  group: CatalogueGroup | null,
): CatalogueContent {
  const old = own(content.topics, topic);
  if (old === null) return content;
  const { [name]: _, ...others } = old.groups;
  const groups = group === null ? others : { ...others, [name]: group };
  return { ...content, topics: { ...content.topics, [topic]: { ...old, groups } } };
}

/** With these groups marked as finished, where they are still as they were when the work on them began. */
export function withFinished(
  content: CatalogueContent,
  work: readonly { readonly topic: string; readonly group: string; readonly was: CatalogueGroup }[],
): CatalogueContent {
  let changed = content;
  for (const { topic, group, was } of work) {
    const now = groupIn(changed, topic, group);
    if (now === null || !now.unfinished || JSON.stringify(now.patterns) !== JSON.stringify(was.patterns)) continue;
    changed = withGroup(changed, topic, group, { ...now, unfinished: false, dropped: [] });
  }
  return changed;
}

export function withDelays(content: CatalogueContent, delaysMs: Iterable<number>): CatalogueContent {
  const all = new Set([...content.delaysMs, ...delaysMs]);
  if (all.size === content.delaysMs.length) return content;
  return { ...content, delaysMs: [...all].sort((one, other) => one - other) };
}

/** What `addGroup` asks for, said as a declaration of its topic. */
export function askedWith(content: CatalogueContent, topic: string, group: GroupTopology): Topology {
  const there = topologyOf(content).find(({ name }) => name === topic);
  return { topics: there === undefined ? [] : [{ ...there, groups: [group] }] };
}
