import type { SqliteRow } from '../../sql/sqlite-connection.js';
import { ask, type Steps } from '../../sql/sqlite-steps.js';
import { handedOver, readRows } from './handed-over.js';
import { nextToken } from './places.js';
import { promote } from './promoting.js';
import { backInLine, claimRange, divideEnded, waiting } from './range-claims.js';
import { state } from './state.js';

export interface Claim {
  readonly groupId: number;
  readonly ordered: boolean;
  readonly max: number;
  readonly holderId: number;
  readonly leaseMs: number;
}

/** How many of a line a claim reads at a time once its first look did not bring enough. */
const sight = 256;

/** A look without the write lock: whether a claim could find anything, so that an idle reader writes nothing. */
export const anythingDue = `select 1 as due where exists (select 1 from {messages} where ${waiting.beyond})
  or exists (select 1 from {messages} where ${waiting.returned})
  or exists (select 1 from {messages} where ${waiting.unplaced})
  or exists (select 1 from {messages} where ${waiting.misplaced})
  or exists (select 1 from {messages} where group_id = ?1 and state = 1 and due_at <= ?2)
  or exists (select 1 from {messages} where group_id = ?1 and state = 2 and lease_ends_at <= ?2)
  or exists (select 1 from {claims} where group_id = ?1 and lease_ends_at <= ?2)`;

/** When the next delay or lease of a group ends; null in both: nothing is waited for. */
export const nextAlarm = `select
  (select min(due_at) from {messages} where group_id = ?1 and state = 1) as due_at,
  (select min(lease_ends_at) from {messages} where group_id = ?1 and state = 2) as lease_ends_at,
  (select min(lease_ends_at) from {claims} where group_id = ?1) as range_ends_at`;

export interface Claimed {
  readonly groupId: number;
  /** 0 where nothing was claimed. */
  readonly token: number;
  /** In the order of service, as they were: `hand_outs` does not count this one. */
  readonly rows: readonly SqliteRow[];
}

/** Beside a look, not one statement that answers its rows: that copies each of them aside before, which took 2 us of a message's 8. */
const claimSql = `update {messages}
  set state = ${state.inHand}, claim_token = ?, holder_id = ?, lease_ends_at = ?, hand_outs = hand_outs + 1
  where row_id in (select value from json_each(?))`;

const rowsChosen = handedOver(
  'from (select value as chosen from json_each(?1)) cross join {messages} on row_id = chosen',
);
const rowsBeyond = handedOver(`from {messages} where ${waiting.beyond} order by place limit ?2`);

/** Hands out up to `max` of what is due, in the order of places. */
export function* claim({ groupId, ordered, max, holderId, leaseMs }: Claim, now: number): Steps<Claimed> {
  yield* endLeases(groupId, now);
  yield* promote(groupId, now);
  const chosen = JSON.stringify(ordered ? yield* firstOfKeys(groupId, max) : yield* firstOfLine(groupId, max));
  const single = yield* readRows(rowsChosen, chosen);
  const beyond = ordered || single.length === max ? [] : yield* readRows(rowsBeyond, groupId, max - single.length);
  if (single.length + beyond.length === 0) return { groupId, token: 0, rows: [] };
  const token = yield* nextToken();
  const leaseEndsAt = now + leaseMs;
  if (single.length > 0) yield* ask(claimSql, token, holderId, leaseEndsAt, chosen);
  if (beyond.length > 0) {
    const [firstRow, lastRow] = [Number(beyond[0]?.row_id), Number(beyond[beyond.length - 1]?.row_id)];
    yield* claimRange({ token, groupId, holderId, leaseEndsAt, firstRow, lastRow });
  }
  return { groupId, token, rows: [...single, ...beyond] };
}

/** Whose lease has ended is where it was, counted: nobody has to have noticed. */
export function* endLeases(groupId: number, now: number): Steps<void> {
  yield* divideEnded(groupId, now);
  yield* ask(
    `update {messages} set state = ${backInLine}, claim_token = null
      where group_id = ? and state = ${state.inHand} and lease_ends_at <= ?`,
    ...[groupId, now],
  );
}

/** Of what is claimed message by message, before all that was never claimed. */
function* firstOfLine(groupId: number, max: number): Steps<readonly number[]> {
  const [row] = yield* ask(
    `select json_group_array(row_id) as line from (
      select row_id, place from {messages} where ${waiting.unplaced}
      union all select row_id, place from {messages} where ${waiting.misplaced}
      union all select row_id, place from {messages} where ${waiting.returned}
      order by place limit ?2)`,
    ...[groupId, max],
  );
  return JSON.parse(String(row?.line)) as number[];
}

/** Of the line, and whether each one's key has something in hand; as one text, since libsql takes its time for every row and column that it hands over. */
const nextOfLine = `select json_group_array(json_array(row_id, place, key, in_hand)) as line from (
  select row_id, place, key, key is not null and exists (
    select 1 from {messages} as held where held.group_id = ?1 and held.key = waiting.key and held.state = ${state.inHand}) as in_hand
  from {messages} as waiting where group_id = ?1 and state = ${state.ready} and place > ?2 order by place limit ?3)`;

/** The first of each key that has nothing in hand. Whatever stands behind one in hand is put `behind`, and met by no claim again. */
function* firstOfKeys(groupId: number, max: number): Steps<readonly number[]> {
  const chosen: number[] = [];
  const behind: number[] = [];
  const taken = new Set<string>();
  for (let after = Number.MIN_SAFE_INTEGER, looked = max; chosen.length < max; looked = sight) {
    const [row] = yield* ask(nextOfLine, groupId, after, looked);
    const line = JSON.parse(String(row?.line)) as [rowId: number, place: number, key: string | null, inHand: number][];
    for (const [rowId, at, key, inHand] of line) {
      if (chosen.length === max) break;
      after = at;
      if (key !== null && (inHand !== 0 || taken.has(key))) behind.push(rowId);
      else chosen.push(rowId);
      if (key !== null) taken.add(key);
    }
    if (line.length < looked) break;
  }
  if (behind.length > 0) yield* putBehind(behind);
  return chosen;
}

function* putBehind(rowIds: readonly number[]): Steps<void> {
  yield* ask(
    `update {messages} set state = ${state.behind} where row_id in (select value from json_each(?))`,
    JSON.stringify(rowIds),
  );
}
