import { ask, type Steps } from '../../sql/sqlite-steps.js';
import { nextPlaces } from './places.js';
import { state } from './state.js';

/**
 * What is delayed stands outside the line until it is due, then goes to its end, the earliest due first. Done before
 * anything is claimed, and before anything else gets a place: what is published after it fell due comes after it.
 */
export function* promote(groupId: number, now: number): Steps<void> {
  const due = yield* ask(
    `select row_id from {messages} where group_id = ? and state = ${state.delayed} and due_at <= ?
      order by due_at, place, row_id limit 1000`,
    ...[groupId, now],
  );
  if (due.length === 0) return;
  let place = yield* nextPlaces(due.length);
  for (const row of due) {
    yield* ask(`update {messages} set state = ${state.ready}, place = ? where row_id = ?`, place++, Number(row.row_id));
  }
}
