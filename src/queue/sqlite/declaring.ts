import { ask, type Steps } from '../../sql/sqlite-steps.js';
import {
  type DeclareOptions,
  type DeclareReport,
  type GroupTopology,
  type TopicTopology,
  type Topology,
  topologyDifferences,
} from '../driver.js';
import type { Catalogue } from './catalogue.js';
import { loseOverdue } from './letters.js';
import { nextPlaces } from './places.js';
import { state } from './state.js';

/** Writes what is missing, and what may be changed; refuses before anything is written. Answers what was done. */
export function* declare(
  there: Catalogue,
  asked: Topology,
  options: DeclareOptions,
  now: number,
): Steps<DeclareReport> {
  const report = topologyDifferences(there.topics, asked, options);
  if (options.mode === 'check') return report;
  let written = false;
  for (const topic of asked.topics) {
    const known = there.find(topic.name);
    const advice = [topic.maxRedeliveries, JSON.stringify(topic.expectedDelaysMs)] as const;
    if (known === undefined) {
      yield* ask(
        `insert or ignore into {topics} (name, ordering, lanes, max_redeliveries, expected_delays_ms)
          values (?, ?, ?, ?, ?)`,
        ...[topic.name, topic.ordering, topic.lanes, ...advice],
      );
      written = true;
    } else if (known.maxRedeliveries !== advice[0] || JSON.stringify(known.expectedDelaysMs) !== advice[1]) {
      yield* ask(
        'update {topics} set max_redeliveries = ?, expected_delays_ms = ? where topic_id = ?',
        ...[...advice, known.topicId],
      );
      written = true;
    }
    for (const group of topic.groups) if (yield* declareGroup(known, topic, group, now)) written = true;
  }
  if (written) yield* newVersion();
  return report;
}

/** As `declare`, for one group that comes and goes. */
export function* addGroup(there: Catalogue, topic: string, group: GroupTopology, now: number): Steps<void> {
  const known = there.topic(topic);
  topologyDifferences([known], { topics: [{ ...known, groups: [group] }] }, { mode: 'assert', change: false });
  if (yield* declareGroup(known, known, group, now)) yield* newVersion();
}

const leftIn = (which: number): string =>
  `exists (select 1 from {messages} as m where m.group_id = {groups}.group_id and m.state = ${which})`;

/** Groups of a name that are gone, and still have what is to be deleted: whoever removed one may have been killed, or have found the disk full. */
const leftBehind = `select group_id from {groups}
  where removed = 1 and name = ? and topic_id = (select topic_id from {topics} where name = ?) and (
    ${[state.ready, state.inHand, state.behind, state.returned].map(leftIn).join(' or ')}
    or exists (select 1 from {claims} where {claims}.group_id = {groups}.group_id)
    or exists (select 1 from {letters} where box = {groups}.group_id))`;

/**
 * Answers the groups of this name of which something is to be deleted afterwards, bit by bit: all but the delayed ones, which become lost letters when they
 * fall due.
 */
export function* removeGroup(there: Catalogue, topic: string, name: string): Steps<readonly number[]> {
  const group = there.topic(topic).groups.find((one) => one.name === name);
  if (group !== undefined) {
    yield* ask('update {groups} set removed = 1 where group_id = ?', group.groupId);
    yield* newVersion();
  }
  return (yield* ask(leftBehind, name, topic)).map(({ group_id }) => Number(group_id));
}

function* declareGroup(
  known: TopicTopology | undefined,
  topic: TopicTopology,
  group: GroupTopology,
  now: number,
): Steps<boolean> {
  const before = known?.groups.find((one) => one.name === group.name);
  const patterns = JSON.stringify([...new Set(group.patterns)].sort());
  if (before !== undefined) {
    if (JSON.stringify([...new Set(before.patterns)].sort()) === patterns) return false;
    yield* ask(
      `update {groups} set patterns = ?
        where name = ? and removed = 0 and topic_id = (select topic_id from {topics} where name = ?)`,
      ...[patterns, group.name, topic.name],
    );
    return true;
  }
  yield* ask(
    `insert or ignore into {groups} (topic_id, name, patterns)
      select topic_id, ?, ? from {topics} where name = ?`,
    ...[group.name, patterns, topic.name],
  );
  yield* adopt(topic.name, group.name, now);
  return true;
}

/** What was delayed when a group of this name was removed, and is not due yet, belongs to the new one. */
function* adopt(topic: string, name: string, now: number): Steps<void> {
  yield* loseOverdue(now);
  const delayed = `from {messages} where state = 1 and group_id in (
    select group_id from {groups} where removed = 1 and name = ?
      and topic_id = (select topic_id from {topics} where name = ?))`;
  const [count] = yield* ask(`select count(*) as n ${delayed}`, name, topic);
  if (count === undefined || count.n === 0) return;
  const first = yield* nextPlaces(Number(count.n));
  yield* ask(
    `update {messages} set
        group_id = (select group_id from {groups} where removed = 0 and name = ?
          and topic_id = (select topic_id from {topics} where name = ?)),
        place = ?
      where row_id in (select row_id ${delayed})`,
    ...[name, topic, first, name, topic],
  );
}

export function* newVersion(): Steps<void> {
  yield* ask('update {state} set topology_version = topology_version + 1');
}
