import { randomBytes } from 'node:crypto';
import type { SqliteRow } from '../../sql/sqlite-connection.js';
import { ask, type Steps } from '../../sql/sqlite-steps.js';
import type { Death, DrainedLetter, Waiting } from '../driver.js';
import { endLeases } from './claiming.js';
import type { Client } from './client.js';
import { boxNumber, firstLetters, letterOf, purgeLetters } from './letters.js';
import { promote } from './promoting.js';
import { inRanges, waiting } from './range-claims.js';
import { countsOf, readMessage } from './rows.js';
import { letGo } from './settling.js';
import { state } from './state.js';

/**
 * See `DriverAdmin.drain`. What is kept elsewhere is marked with a token while it waits here as before, and deleted by row and
 * token: a row's number may meanwhile be that of a new message, and whoever claims a message puts his own token there, or has it in a range.
 */
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
    const first = (which: string, order: string) =>
      ask(`select * from {messages} where ${which} order by ${order} limit ?2`, groupId, max);
    const due: SqliteRow[] = [];
    for (const which of Object.values(waiting)) due.push(...(yield* first(which, 'place')));
    due.sort((one, other) => Number(one.place) - Number(other.place));
    return yield* marked(
      [...due, ...(yield* first(`group_id = ?1 and state = ${state.delayed}`, 'due_at, place'))].slice(0, max),
    );
  });
  if (rows.length === 0) return 0;
  await keep(
    rows.map((row) => ({
      ...readMessage(row, topic),
      counts: countsOf(row),
      delayMs: row.state === state.delayed ? Math.max(0, Number(row.due_at) - at) : 0,
      identity: `${row.claim_token} ${row.row_id}`,
    })),
  );
  await file.write(() => remove(rows));
  return rows.length;
}

/**
 * Rows that wait have no token; those that are drained get one, which stays until they are handed out, so that whoever drains them
 * again, or at the same time, gives them the same identity. Random, since a row's number comes again, and so does a file; below
 * zero, where no claim has one.
 */
function* marked(rows: readonly SqliteRow[]): Steps<readonly SqliteRow[]> {
  const token = -1 - randomBytes(6).readUIntBE(0, 6);
  const unmarked = rows.flatMap(({ row_id, claim_token }) => (claim_token === null ? [row_id] : []));
  yield* ask(
    'update {messages} set claim_token = ? where row_id in (select value from json_each(?))',
    ...[token, JSON.stringify(unmarked)],
  );
  return rows.map((row) => ({ ...row, claim_token: row.claim_token ?? token }));
}

function* remove(rows: readonly SqliteRow[]): Steps<void> {
  const groupId = Number(rows[0]?.group_id);
  for (const { row_id, claim_token } of rows) {
    yield* ask(
      `delete from {messages} where row_id = ?2 and claim_token = ?3 and not (${inRanges})`,
      ...[groupId, Number(row_id), Number(claim_token)],
    );
  }
  // The first of a key may be gone, and those behind it stay.
  const keys = new Set(rows.flatMap(({ key }) => (typeof key === 'string' ? [key] : [])));
  yield* letGo(groupId, [...keys]);
}

/** See `DriverAdmin.drainLetters`. A letter's number is never given twice in a file, and its time is that of the burial. */
export async function drainLetters(
  { file, now }: Client,
  topic: string,
  group: string,
  max: number,
  keep: (letters: readonly DrainedLetter[]) => Promise<void>,
): Promise<number> {
  const at = now();
  const rows = await file.read((there) => firstLetters(boxNumber({ kind: 'dead', topic, group }, there), max, at));
  if (rows.length === 0) return 0;
  await keep(
    rows.map((row) => ({
      ...letterOf(row, at),
      death: JSON.parse(String(row.death)) as Death,
      identity: `${row.buried_at} ${row.letter_id}`,
    })),
  );
  await file.write(() => purgeLetters(rows.map(({ letter_id }) => Number(letter_id))));
  return rows.length;
}
