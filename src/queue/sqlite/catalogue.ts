import type { SqliteRow } from '../../sql/sqlite-connection.js';
import { ask, type Steps } from '../../sql/sqlite-steps.js';
import { type GroupTopology, matches, noGroup, noTopic, type TopicTopology } from '../driver.js';

export interface KnownGroup extends GroupTopology {
  readonly groupId: number;
  /** The token of its pause; null: it flows. */
  readonly paused: string | null;
}

export interface KnownTopic extends TopicTopology {
  readonly topicId: number;
  readonly groups: readonly KnownGroup[];
}

/** The topics and groups of a file, as they were at a version of the catalogue. */
export class Catalogue {
  readonly #topics: ReadonlyMap<string, KnownTopic>;
  readonly #groupIds: ReadonlySet<number>;

  constructor(
    readonly version: number,
    topics: readonly KnownTopic[],
  ) {
    this.#topics = new Map(topics.map((topic) => [topic.name, topic]));
    this.#groupIds = new Set(topics.flatMap(({ groups }) => groups.map(({ groupId }) => groupId)));
  }

  get topics(): readonly KnownTopic[] {
    return [...this.#topics.values()];
  }

  find(topic: string): KnownTopic | undefined {
    return this.#topics.get(topic);
  }

  /** Whether a group is there still: one that was removed and added again has another number. */
  has(groupId: number): boolean {
    return this.#groupIds.has(groupId);
  }

  /** Throws a `not-found` refusal. */
  topic(name: string): KnownTopic {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw noTopic(name);
    return topic;
  }

  /** Throws a `not-found` refusal. */
  group(topic: string, name: string): KnownGroup {
    const group = this.topic(topic).groups.find((one) => one.name === name);
    if (group === undefined) throw noGroup(topic, name);
    return group;
  }
}

export function accepts(group: GroupTopology, routingKey: string | null): boolean {
  return group.patterns.some((pattern) => matches(pattern, routingKey));
}

const versionSql = 'select topology_version from {state}';
const topicsSql = 'select * from {topics} order by name';
const groupsSql = 'select * from {groups} where removed = 0 order by name';

/** `known`, if it is still true, or what is true now. Within a transaction, so that it stays true. */
export function* readCatalogue(known: Catalogue | null): Steps<Catalogue> {
  const [state] = yield* ask(versionSql);
  const version = Number(state?.topology_version);
  if (known?.version === version) return known;
  const topics = yield* ask(topicsSql);
  const groups = yield* ask(groupsSql);
  return new Catalogue(
    version,
    topics.map((row) => topicOf(row, groups)),
  );
}

function topicOf(row: SqliteRow, groups: readonly SqliteRow[]): KnownTopic {
  const topicId = Number(row.topic_id);
  return {
    topicId,
    name: String(row.name),
    ordering: row.ordering === 'key' ? 'key' : 'none',
    lanes: Number(row.lanes),
    maxRedeliveries: Number(row.max_redeliveries),
    expectedDelaysMs: JSON.parse(String(row.expected_delays_ms)) as number[],
    groups: groups
      .filter((group) => group.topic_id === topicId)
      .map((group) => ({
        groupId: Number(group.group_id),
        name: String(group.name),
        patterns: JSON.parse(String(group.patterns)) as string[],
        paused: typeof group.paused === 'string' ? group.paused : null,
      })),
  };
}
