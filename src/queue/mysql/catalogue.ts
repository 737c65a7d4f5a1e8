import {
  type GroupTopology,
  matches,
  noGroup,
  noTopic,
  type Refusal,
  type Send,
  type TopicTopology,
  unroutable,
} from '../driver.js';
import type { Link, Row } from './link.js';
import { text } from './sql-values.js';
import type { Tables } from './tables.js';

export interface KnownGroup extends GroupTopology {
  readonly id: number;
  readonly topic: KnownTopic;
}

export interface KnownTopic {
  readonly id: number;
  readonly name: string;
  /** Every change of the groups raises it. */
  readonly version: number;
  readonly ordering: 'none' | 'key';
  readonly lanes: number;
  readonly maxRedeliveries: number;
  readonly expectedDelaysMs: readonly number[];
  readonly groups: ReadonlyMap<string, KnownGroup>;
}

export type Topics = ReadonlyMap<string, KnownTopic>;

/** Where an entry of a batch goes. */
export type Placement =
  | { readonly kind: 'groups'; readonly topic: KnownTopic; readonly groups: readonly KnownGroup[] }
  | { readonly kind: 'dead'; readonly topic: KnownTopic; readonly group: KnownGroup }
  | { readonly kind: 'refused'; readonly topic: KnownTopic | null; readonly error: Refusal };

/**
 * The topics and groups as this process last saw them. Publishers decide from it in JavaScript where a message goes
 * (`REGEXP` on bytes is an error on MySQL, and patterns are not regular expressions) and show the version that they
 * decided by; when that is no longer the topic's, they look again.
 */
export class Catalogue {
  readonly #read: () => Promise<Topics>;
  #topics: Topics = new Map();
  #reading: Promise<Topics> | null = null;
  #next: Promise<Topics> | null = null;

  /** `read` looks into the database: `readTopics` on some connection. */
  constructor(read: () => Promise<Topics>) {
    this.#read = read;
  }

  get topics(): Topics {
    return this.#topics;
  }

  /** As the database has it at some moment after this call. Those who ask while one look is under way share the next. */
  refresh(): Promise<Topics> {
    if (this.#reading === null) return this.#look();
    this.#next ??= this.#reading
      .catch(() => {})
      .then(() => {
        this.#next = null;
        return this.#look();
      });
    return this.#next;
  }

  /** From what is known, or after one look where it is not. Throws a `not-found` refusal. */
  async group(topic: string, group: string): Promise<KnownGroup> {
    return groupIn(this.#topics, topic, group) ?? requireGroup(await this.refresh(), topic, group);
  }

  #look(): Promise<Topics> {
    this.#reading = this.#read()
      .then((topics) => {
        this.#topics = topics;
        return topics;
      })
      .finally(() => {
        this.#reading = null;
      });
    return this.#reading;
  }
}

export async function readTopics(link: Link, { topics, groups }: Tables): Promise<Topics> {
  const rows = await link.rows(
    `select t.id, t.name, t.version, t.ordering, t.lanes, t.max_redeliveries, t.expected_delays,
       g.id as group_id, g.name as group_name, g.patterns
     from ${topics} t
     left join ${groups} g on g.topic_id = t.id
     order by t.name, g.name`,
  );
  const known = new Map<string, KnownTopic & { readonly groups: Map<string, KnownGroup> }>();
  for (const row of rows) {
    const name = text(row.name);
    const topic = known.get(name) ?? topicOf(name, row);
    known.set(name, topic);
    if (row.group_id === null) continue;
    const group = text(row.group_name);
    const patterns = JSON.parse(text(row.patterns)) as readonly string[];
    topic.groups.set(group, { id: Number(row.group_id), name: group, patterns, topic });
  }
  return known;
}

function topicOf(name: string, row: Row): KnownTopic & { readonly groups: Map<string, KnownGroup> } {
  return {
    id: Number(row.id),
    name,
    version: Number(row.version),
    ordering: text(row.ordering) === 'key' ? 'key' : 'none',
    lanes: Number(row.lanes),
    // Infinity, which SQL does not have, is stored as -1.
    maxRedeliveries: Number(row.max_redeliveries) < 0 ? Number.POSITIVE_INFINITY : Number(row.max_redeliveries),
    expectedDelaysMs: JSON.parse(text(row.expected_delays)) as readonly number[],
    groups: new Map(),
  };
}

function topologyOf({ name, ordering, lanes, groups, maxRedeliveries, expectedDelaysMs }: KnownTopic): TopicTopology {
  const named = [...groups.values()].map((group) => ({ name: group.name, patterns: group.patterns })).sort(byName);
  return { name, ordering, lanes, groups: named, maxRedeliveries, expectedDelaysMs };
}

export function topologiesOf(topics: Topics): readonly TopicTopology[] {
  return [...topics.values()].map(topologyOf).sort(byName);
}

/** Pure. One row per group, however many of its patterns match. */
export function place({ target, message, unmatched }: Send, topics: Topics): Placement {
  const topic = topics.get(message.topic);
  if (topic === undefined) return { kind: 'refused', topic: null, error: noTopic(message.topic) };
  if (target.kind !== 'topic') {
    const group = topic.groups.get(target.group);
    if (group === undefined) return { kind: 'refused', topic, error: noGroup(topic.name, target.group) };
    return target.kind === 'dead' ? { kind: 'dead', topic, group } : { kind: 'groups', topic, groups: [group] };
  }
  const groups = [...topic.groups.values()].filter(({ patterns }) =>
    patterns.some((pattern) => matches(pattern, message.routingKey)),
  );
  if (groups.length > 0 || unmatched === 'discard') return { kind: 'groups', topic, groups };
  return { kind: 'refused', topic, error: unroutable(topic.name, message.routingKey) };
}

function groupIn(topics: Topics, topic: string, group: string): KnownGroup | undefined {
  return topics.get(topic)?.groups.get(group);
}

/** Throws a `not-found` refusal. */
export function requireTopic(topics: Topics, name: string): KnownTopic {
  const topic = topics.get(name);
  if (topic === undefined) throw noTopic(name);
  return topic;
}

/** Throws a `not-found` refusal. */
export function requireGroup(topics: Topics, topic: string, name: string): KnownGroup {
  const group = requireTopic(topics, topic).groups.get(name);
  if (group === undefined) throw noGroup(topic, name);
  return group;
}

function byName(one: { readonly name: string }, other: { readonly name: string }): number {
  return one.name < other.name ? -1 : one.name > other.name ? 1 : 0;
}
