import { ask, change, type Steps } from '../../sql/sqlite-steps.js';
import { nextPlaces } from './places.js';
import { state } from './state.js';

/** Promoted at a time: 1 to 2 ms in which the event loop stands still. (100 000 at once took 570 ms, in such steps 440 ms in all.) */
const atOnce = 256;

const due = `from {messages} where group_id = ?1 and state = ${state.delayed} and due_at <= ?2`;
const anyDue = `select 1 ${due} limit 1`;
const promoteSql = `update {messages}
  set state = ${state.ready}, place = (select last_place from {state}) + due.turn
  from (
    select row_id, row_number() over (order by due_at, place, row_id) as turn
      from (select row_id, due_at, place ${due} order by due_at, place, row_id limit ${atOnce})
  ) as due
  where {messages}.row_id = due.row_id`;

/**
 * What is delayed stands outside the line until it is due, then goes to its end, the earliest due first. Done before
 * anything is claimed, and before anything else gets a place: what is published after it fell due comes after it.
 *
 * Answers the state of what joins the line now. While more is due than goes at a time that is `delayed` as well: its
 * due time, and in the same millisecond its place, have it promoted after those, so that everything ready comes before everything that is not yet.
 */
export function* promote(groupId: number, now: number): Steps<typeof state.ready | typeof state.delayed> {
  if (!(yield* isAnyDue(groupId, now))) return state.ready;
  const promoted = yield* change(promoteSql, groupId, now);
  yield* nextPlaces(promoted);
  return promoted === atOnce && (yield* isAnyDue(groupId, now)) ? state.delayed : state.ready;
}

function* isAnyDue(groupId: number, now: number): Steps<boolean> {
  return (yield* ask(anyDue, groupId, now)).length > 0;
}
