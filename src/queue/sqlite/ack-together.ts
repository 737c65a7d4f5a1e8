import { ask, type Steps } from '../../sql/sqlite-steps.js';
import type { Receipt as OpaqueReceipt, Settlement, SettleResult } from '../driver.js';
import type { Catalogue } from './catalogue.js';
import { forgetIfDone } from './range-claims.js';
import { Receipt } from './receipt.js';
import { done, heldBy, letGo, lost } from './settling.js';

const deleteRows = 'delete from {messages} where row_id in (select value from json_each(?))';

/** All of one group. */
type Acks = ReadonlyMap<Receipt, Settlement>;

/**
 * Carries out those acks of a batch that bring nothing along: statements for all of a claim, which has one token, instead of some for
 * each. The rest is left to `settle`, as is whatever is settled twice in a batch, or of a group that is gone.
 */
export function* ackTogether(
  batch: readonly Settlement[],
  catalogue: Catalogue,
  now: number,
): Steps<ReadonlyMap<Settlement, SettleResult>> {
  const results = new Map<Settlement, SettleResult>();
  for (const [token, acks] of claimsOf(batch, catalogue)) {
    if (acks.size === 1) continue;
    const held = yield* deleteHeld(token, acks, now);
    for (const [receipt, ack] of acks) results.set(ack, held.has(receipt.rowId) ? done : lost);
    yield* letGoOn([...acks.keys()].filter(({ rowId }) => held.has(rowId)));
  }
  return results;
}

function* deleteHeld(token: number, acks: Acks, now: number): Steps<ReadonlySet<number>> {
  const rowIds = [...acks.keys()].map(({ rowId }) => rowId);
  // Looked for first: a deletion that answers its rows takes twice as long as both.
  const held = yield* heldBy(token, rowIds, now);
  yield* ask(deleteRows, held);
  yield* forgetIfDone(token);
  return new Set(JSON.parse(held) as number[]);
}

function* letGoOn(gone: readonly Receipt[]): Steps<void> {
  const keys = gone.flatMap(({ key }) => (key === null ? [] : [key]));
  const [first] = gone;
  if (first !== undefined && keys.length > 0) yield* letGo(first.groupId, keys);
}

/** By token. */
function claimsOf(batch: readonly Settlement[], catalogue: Catalogue): ReadonlyMap<number, Acks> {
  const claims = new Map<number, Map<Receipt, Settlement>>();
  const settled = new Set<OpaqueReceipt>();
  for (const settlement of batch) {
    const { receipt } = settlement;
    const isFirst = !settled.has(receipt);
    settled.add(receipt);
    if (!isFirst || settlement.kind !== 'ack' || settlement.outbox.length > 0) continue;
    if (!(receipt instanceof Receipt) || !catalogue.has(receipt.groupId)) continue;
    const claim = claims.get(receipt.token);
    if (claim === undefined) claims.set(receipt.token, new Map([[receipt, settlement]]));
    else claim.set(receipt, settlement);
  }
  return claims;
}
