import { ask, change, type Steps } from '../../sql/sqlite-steps.js';
import type { Settlement, SettleResult } from '../driver.js';
import type { Catalogue } from './catalogue.js';
import { nextPlaces } from './places.js';
import { promote } from './promoting.js';
import { backInLine, divide, extendRange, forgetIfDone, underClaim } from './range-claims.js';
import { Receipt } from './receipt.js';
import { dueAt, refusalOf, sendBatch } from './sending.js';
import { state } from './state.js';

export const done: SettleResult = Object.freeze({ status: 'done' });
export const lost: SettleResult = Object.freeze({ status: 'lost' });

const isHeld = `row_id = ?1 and ${underClaim}`;
const deleteHeld = `delete from {messages} where ${isHeld}`;

/** Of one that is in hand by itself: what changes nothing was lost. */
const held = `row_id = ? and claim_token = ? and state = ${state.inHand} and lease_ends_at > ?`;

export function* settle(settlement: Settlement, catalogue: Catalogue, now: number): Steps<SettleResult> {
  const { receipt } = settlement;
  // Of a group that was removed nothing may move: what is delayed there waits to become lost letters, the rest to be deleted.
  if (!(receipt instanceof Receipt) || !catalogue.has(receipt.groupId)) return lost;
  if (settlement.kind === 'ack') {
    const refusal = refusalOf(settlement.outbox, catalogue);
    // Somebody who has lost it hears that, not what his outbox lacks.
    if (refusal !== null) return (yield* holds(receipt, now)) ? { status: 'failed', error: refusal } : lost;
  }
  if (!(yield* endHold(settlement, receipt, now))) return lost;
  if (settlement.kind !== 'give-back' && receipt.key !== null) yield* letGo(receipt.groupId, [receipt.key]);
  if (settlement.kind === 'ack' && settlement.outbox.length > 0) {
    yield* sendBatch(settlement.outbox, catalogue, now);
  }
  return done;
}

function* endHold(settlement: Settlement, receipt: Receipt, now: number): Steps<boolean> {
  const which = [receipt.rowId, receipt.token, now] as const;
  let changed: number;
  if (settlement.kind !== 'ack') yield* divide(receipt.token);
  if (settlement.kind === 'ack') {
    changed = yield* change(deleteHeld, ...which);
    yield* forgetIfDone(receipt.token);
  } else if (settlement.kind === 'give-back') {
    changed = yield* change(
      `update {messages} set state = ${backInLine}, claim_token = null, hand_outs = hand_outs - 1
        where ${held}`,
      ...which,
    );
  } else {
    const { attempt, postpones, firstFailedAt } = settlement.counts;
    const stateOfDue = yield* promote(receipt.groupId, now);
    const place = yield* nextPlaces(1);
    changed = yield* change(
      `update {messages} set state = ?, claim_token = null, hand_outs = 0, place = ?, due_at = ?,
          attempt = ?, postpones = ?, first_failed_at = ?
        where ${held}`,
      ...[settlement.delayMs > 0 ? state.delayed : stateOfDue, place, dueAt(now, settlement.delayMs)],
      ...[attempt, postpones, firstFailedAt, ...which],
    );
  }
  return changed > 0;
}

function* holds({ rowId, token }: Receipt, now: number): Steps<boolean> {
  return (yield* ask(`select 1 from {messages} where ${isHeld}`, rowId, token, now)).length > 0;
}

const nextOfKeys = `update {messages} set state = ${state.ready} where row_id in (
  select (select row_id from {messages} where group_id = ? and key = let_go.value and state = ${state.behind} order by place limit 1)
  from json_each(?) as let_go)`;

/** The first messages of these keys have left the line: those behind them may go on. */
export function* letGo(groupId: number, keys: readonly string[]): Steps<void> {
  yield* ask(nextOfKeys, groupId, JSON.stringify(keys));
}

/** Of these rows, those that the claim has in hand: a JSON array. */
export function* heldBy(token: number, rowIds: readonly number[], now: number): Steps<string> {
  const [row] = yield* ask(
    `select json_group_array(row_id) as held from {messages}
      where row_id in (select value from json_each(?1)) and ${underClaim}`,
    ...[JSON.stringify(rowIds), token, now],
  );
  return String(row?.held);
}

/** Prolongs what of these rows the claim has in hand; answers which. */
export function* extend(
  token: number,
  rowIds: readonly number[],
  leaseEndsAt: number,
  now: number,
): Steps<ReadonlySet<number>> {
  const inHand = yield* heldBy(token, rowIds, now);
  if (!(yield* extendRange(token, inHand, leaseEndsAt, now))) yield* divide(token);
  yield* ask(
    `update {messages} set lease_ends_at = ?
      where row_id in (select value from json_each(?)) and state = ${state.inHand} and claim_token = ?`,
    ...[leaseEndsAt, inHand, token],
  );
  return new Set(JSON.parse(inHand) as number[]);
}

/** A reader that leaves: what it held is where it was, counted as a hand-out without an answer. */
export function* putBack({ rowId, token }: Receipt): Steps<void> {
  yield* divide(token);
  yield* ask(
    `update {messages} set state = ${backInLine}, claim_token = null where row_id = ? and claim_token = ? and state = ${state.inHand}`,
    ...[rowId, token],
  );
}
