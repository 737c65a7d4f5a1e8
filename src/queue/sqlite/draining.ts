import { ask, type Steps } from '../../sql/sqlite-steps.js';
import type { Waiting } from '../driver.js';
import { endLeases } from './claiming.js';
import type { Client } from './client.js';
import { promote } from './promoting.js';
import { countsOf, messageOf } from './rows.js';
import { state } from './state.js';

/** See `DriverAdmin.drain`. */
export async function drain(
  { file, now }: Client,
  topic: string,
  group: string,
  max: number,
  keep: (waiting: readonly Waiting[]) => Promise<void>,
): Promise<number> {
  const at = now();
  const rows = await file.write(function* (there) {
    const { groupId } = there.group(topic, group);
    yield* endLeases(groupId, at);
    yield* promote(groupId, at);
    // What is due by its place, then what is delayed by its time: each from an index, so that nothing is sorted.
    const first = (of: number, order: string) =>
      ask(`select * from {messages} where group_id = ? and state = ${of} order by ${order} limit ?`, groupId, max);
    const due = [...(yield* first(state.ready, 'place')), ...(yield* first(state.behind, 'place'))];
    due.sort((one, other) => Number(one.place) - Number(other.place));
    return [...due, ...(yield* first(state.delayed, 'due_at'))].slice(0, max);
  });
  if (rows.length === 0) return 0;
  await keep(
    rows.map((row) => ({
      message: messageOf(row, topic),
      counts: countsOf(row),
      delayMs: row.state === state.delayed ? Math.max(0, Number(row.due_at) - at) : 0,
    })),
  );
  await file.write(function* (): Steps<void> {
    for (const { row_id } of rows) {
      yield* ask(`delete from {messages} where row_id = ? and state <> ${state.inHand}`, Number(row_id));
    }
  });
  return rows.length;
}
