import { ask, type Steps } from '../../sql/sqlite-steps.js';
import type { Depth } from '../driver.js';
import type { KnownGroup } from './catalogue.js';
import { countLetters } from './letters.js';
import { state } from './state.js';

/** Counts by index. What fell due, or whose lease ended, since somebody claimed last is ready. */
export function* depthOf({ groupId, paused }: KnownGroup, now: number): Steps<Depth> {
  const [counts] = yield* ask(
    `select
      (select count(*) from {messages} where group_id = ?1 and state = ${state.ready})
        + (select count(*) from {messages} where group_id = ?1 and state = ${state.behind}) as ready,
      (select count(*) from {messages} where group_id = ?1 and state = 1) as delayed,
      (select count(*) from {messages} where group_id = ?1 and state = 1 and due_at <= ?2) as due,
      (select count(*) from {messages} where group_id = ?1 and state = 2) as in_hand,
      (select count(*) from {messages} where group_id = ?1 and state = 2 and lease_ends_at <= ?2) as ended`,
    ...[groupId, now],
  );
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

/** Places are given in the order of becoming due: the first of each state is its oldest. */
function* oldestDueAt(groupId: number, now: number): Steps<number | null> {
  const first = `select due_at from (select due_at from {messages} where group_id = ?1 and state`;
  const [row] = yield* ask(
    `select min(due_at) as due_at from (
      ${first} = ${state.ready} order by place limit 1)
      union all ${first} = ${state.behind} order by place limit 1)
      union all select min(due_at) from {messages} where group_id = ?1 and state = 1 and due_at <= ?2
      union all select min(due_at) from {messages} where group_id = ?1 and state = 2 and lease_ends_at <= ?2)`,
    ...[groupId, now],
  );
  const dueAt = row?.due_at;
  return typeof dueAt === 'number' ? dueAt : null;
}
