import { ask, type Steps } from '../../sql/sqlite-steps.js';
import type { Depth } from '../driver.js';
import type { KnownGroup } from './catalogue.js';
import { countLetters } from './letters.js';
import { inEndedRanges, inRanges, waiting } from './range-claims.js';
import { state } from './state.js';

const countOf = (which: string): string => `(select count(*) from {messages} where ${which})`;
const delayed = `group_id = ?1 and state = ${state.delayed}`;
const due = `${delayed} and due_at <= ?2`;
const inHand = `group_id = ?1 and state = ${state.inHand}`;
const ended = `${inHand} and lease_ends_at <= ?2`;

const countsSql = `select
  ${Object.values(waiting).map(countOf).join(' + ')} as ready,
  ${countOf(delayed)} as delayed,
  ${countOf(due)} as due,
  ${countOf(inHand)} + ${countOf(inRanges)} as in_hand,
  ${countOf(ended)} + (select count(*) from ${inEndedRanges}) as ended`;

/** Places are given in the order of becoming due: the first of each line is its oldest. */
const oldestSql = `select min(due_at) as due_at from (
  ${Object.values(waiting)
    .map((which) => `select due_at from (select due_at from {messages} where ${which} order by place limit 1)`)
    .join(' union all ')}
  union all select min(due_at) from {messages} where ${due}
  union all select min(due_at) from {messages} where ${ended}
  union all select min(due_at) from ${inEndedRanges})`;

/** Counts by index. What fell due, or whose lease ended, since somebody claimed last is ready. */
export function* depthOf({ groupId, paused }: KnownGroup, now: number): Steps<Depth> {
  const [counts] = yield* ask(countsSql, groupId, now);
  const count = (name: string): number => Number(counts?.[name]);
  const oldest = yield* oldestDueAt(groupId, now);
  return {
    ready: count('ready') + count('due') + count('ended'),
    delayed: count('delayed') - count('due'),
    inHand: count('in_hand') - count('ended'),
    dead: yield* countLetters(groupId, now),
    oldestAgeMs: oldest === null ? 0 : Math.max(0, now - oldest),
    paused: paused !== null,
  };
}

function* oldestDueAt(groupId: number, now: number): Steps<number | null> {
  const [row] = yield* ask(oldestSql, groupId, now);
  const dueAt = row?.due_at;
  return typeof dueAt === 'number' ? dueAt : null;
}
