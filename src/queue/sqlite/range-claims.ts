import { ask, change, type Steps } from '../../sql/sqlite-steps.js';
import { state } from './state.js';

/*
 * Where keys need no order, a claim writes nothing into what it takes: a row of its own says which places of the line it has, and its
 * group's `frontier` is the last place that was ever claimed so. What stands at or before the frontier and is `ready` is in hand.
 * What holds for a part of a claim alone is written into the messages: `divide` makes of a claim what each of them would be if it had been claimed by itself.
 */

const frontier = 'ifnull((select frontier from {groups} where group_id = ?1), 0)';
const lastPlace = '(select last_place from {state})';

/** What of group ?1 is due and in nobody's hand, each with an index by place. */
export const waiting = {
  /** A foreign message has no place, or may have one that was never given out: a frontier there would stand before what is published next. */
  unplaced: `group_id = ?1 and state = ${state.ready} and place <= 0`,
  misplaced: `group_id = ?1 and state = ${state.ready} and place > ${lastPlace}`,
  returned: `group_id = ?1 and state = ${state.returned}`,
  beyond: `group_id = ?1 and state = ${state.ready} and place > ${frontier} and place <= ${lastPlace}`,
  behind: `group_id = ?1 and state = ${state.behind}`,
} as const;

/** What of group ?1 is in hand by claims of ranges. */
export const inRanges = `group_id = ?1 and state = ${state.ready} and place > 0 and place <= ${frontier}`;

const range = `group_id = {claims}.group_id and state = ${state.ready} and place between first_place and last_place`;

/** Of the ranges of group ?1 whose lease has ended at ?2. */
export const inEndedRanges = `{claims} join {messages} using (group_id)
  where group_id = ?1 and {claims}.lease_ends_at <= ?2 and state = ${state.ready} and place between first_place and last_place`;

/** What a message is that goes back to its own place. */
export const backInLine = `iif(
  place between 1 and (select frontier from {groups} where group_id = {messages}.group_id), ${state.returned}, ${state.ready})`;

/** In hand by the claim with token ?2, whose lease holds at ?3. */
export const underClaim = `(state = ${state.inHand} and claim_token = ?2 and lease_ends_at > ?3
  or state = ${state.ready} and exists (
    select 1 from {claims} where token = ?2 and {claims}.lease_ends_at > ?3
      and group_id = {messages}.group_id and place between first_place and last_place))`;

export interface RangeClaim {
  readonly token: number;
  readonly groupId: number;
  readonly holderId: number;
  readonly leaseEndsAt: number;
  /** The rows of the first and the last message: all that is `ready` between them is claimed. */
  readonly firstRow: number;
  readonly lastRow: number;
}

export function* claimRange(claim: RangeClaim): Steps<void> {
  const { token, groupId, holderId, leaseEndsAt, firstRow, lastRow } = claim;
  yield* ask(
    `insert into {claims} (token, group_id, holder_id, lease_ends_at, first_place, last_place)
      select ?, ?, ?, ?, first.place, last.place from {messages} as first, {messages} as last
      where first.row_id = ? and last.row_id = ?`,
    ...[token, groupId, holderId, leaseEndsAt, firstRow, lastRow],
  );
  yield* ask(
    'update {groups} set frontier = (select place from {messages} where row_id = ?) where group_id = ?',
    ...[lastRow, groupId],
  );
}

/** Takes the claim away if nothing is left of it. */
export function* forgetIfDone(token: number): Steps<void> {
  yield* ask(`delete from {claims} where token = ? and not exists (select 1 from {messages} where ${range})`, token);
}

/** Prolongs a claim of a range whose lease holds if these rows are all that is left of it; answers whether it did. */
export function* extendRange(token: number, rowIds: string, leaseEndsAt: number, now: number): Steps<boolean> {
  const extended = yield* change(
    `update {claims} set lease_ends_at = ? where token = ? and lease_ends_at > ? and not exists (
      select 1 from {messages} where ${range} and row_id not in (select value from json_each(?)))`,
    ...[leaseEndsAt, token, now, rowIds],
  );
  return extended > 0;
}

/** What is left of a claim of a range, if it is one, is in hand message by message, with the same token and lease, and counted. */
export function* divide(token: number): Steps<void> {
  if ((yield* ask('select 1 from {claims} where token = ?', token)).length === 0) return;
  yield* ask(
    `update {messages} set
        state = ${state.inHand}, claim_token = token, holder_id = claim.holder_id, lease_ends_at = claim.lease_ends_at,
        hand_outs = hand_outs + 1
      from (select * from {claims} where token = ?) as claim
      where {messages}.group_id = claim.group_id and state = ${state.ready} and place between first_place and last_place`,
    token,
  );
  yield* ask('delete from {claims} where token = ?', token);
}

export function* divideEnded(groupId: number, now: number): Steps<void> {
  const ended = yield* ask('select token from {claims} where group_id = ? and lease_ends_at <= ?', groupId, now);
  for (const { token } of ended) yield* divide(Number(token));
}

export function* divideOf(holderId: number): Steps<void> {
  const held = yield* ask('select token from {claims} where holder_id = ?', holderId);
  for (const { token } of held) yield* divide(Number(token));
}
