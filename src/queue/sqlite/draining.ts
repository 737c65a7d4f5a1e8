import type { SqliteRow } from '../../sql/sqlite-connection.js';
import { ask, type Steps } from '../../sql/sqlite-steps.js';
import type { Waiting } from '../driver.js';
import { endLeases } from './claiming.js';
import type { Client } from './client.js';
import { nextToken } from './places.js';
import { promote } from './promoting.js';
import { countsOf, messageOf } from './rows.js';
import { letGo } from './settling.js';
import { state } from './state.js';

/**
 * See `DriverAdmin.drain`. What is kept elsewhere is marked with a token while it waits here as before, and deleted by row and
 * token: a row's number may meanwhile be that of a new message, and whoever claims a message or drains it, too, puts his own token there.
 */
export async function drain(
  { file, now }: Client,
  topic: string,
  group: string,
  max: number,
  keep: (waiting: readonly Waiting[]) => Promise<void>,
): Promise<number> {
  const at = now();
  const { token, rows } = await file.write(function* (there) {
    const { groupId } = there.group(topic, group);
    const token = yield* nextToken();
    yield* endLeases(groupId, at);
    yield* promote(groupId, at);
    // What is due by its place, then what is delayed by its time: each from an index, so that nothing is sorted.
    const first = (of: number, order: string) =>
      ask(`select * from {messages} where group_id = ? and state = ${of} order by ${order} limit ?`, groupId, max);
    const due = [...(yield* first(state.ready, 'place')), ...(yield* first(state.behind, 'place'))];
    due.sort((one, other) => Number(one.place) - Number(other.place));
    const rows = [...due, ...(yield* first(state.delayed, 'due_at, place'))].slice(0, max);
    yield* ask(
      'update {messages} set claim_token = ? where row_id in (select value from json_each(?))',
      ...[token, JSON.stringify(rows.map(({ row_id }) => row_id))],
    );
    return { token, rows };
  });
  if (rows.length === 0) return 0;
  await keep(
    rows.map((row) => ({
      message: messageOf(row, topic),
      counts: countsOf(row),
      delayMs: row.state === state.delayed ? Math.max(0, Number(row.due_at) - at) : 0,
    })),
  );
  await file.write(() => remove(rows, token));
  return rows.length;
}

function* remove(rows: readonly SqliteRow[], token: number): Steps<void> {
  for (const { row_id } of rows) {
    yield* ask(
      `delete from {messages} where row_id = ? and claim_token = ? and state <> ${state.inHand}`,
      ...[Number(row_id), token],
    );
  }
  // The first of a key may be gone, and those behind it stay.
  const keys = new Map(rows.map(({ group_id, key }) => [key, Number(group_id)]));
  for (const [key, groupId] of keys) if (typeof key === 'string') yield* letGo(groupId, key);
}
