import { ask, type Steps } from '../../sql/sqlite-steps.js';
import type { Receipt as OpaqueReceipt, Settlement, SettleResult } from '../driver.js';
import { Receipt } from './receipt.js';
import { done, lost, underClaim } from './settling.js';

const deleteClaimed = `delete from {messages}
  where row_id in (select value from json_each(?)) and ${underClaim} returning row_id`;

/**
 * Carries out those acks of a batch that bring nothing along and let no key go on: a statement for all of a claim, which has one
 * token, instead of one for each. The rest is left to `settle`, as is whatever is settled twice in a batch.
 */
export function* ackTogether(batch: readonly Settlement[], now: number): Steps<ReadonlyMap<Settlement, SettleResult>> {
  const results = new Map<Settlement, SettleResult>();
  for (const [token, acks] of claimsOf(batch)) {
    if (acks.size === 1) continue;
    const rows = yield* ask(deleteClaimed, JSON.stringify([...acks.keys()]), token, now);
    const gone = new Set(rows.map(({ row_id }) => Number(row_id)));
    for (const [rowId, ack] of acks) results.set(ack, gone.has(rowId) ? done : lost);
  }
  return results;
}

/** By token and row. */
function claimsOf(batch: readonly Settlement[]): ReadonlyMap<number, ReadonlyMap<number, Settlement>> {
  const claims = new Map<number, Map<number, Settlement>>();
  const settled = new Set<OpaqueReceipt>();
  for (const settlement of batch) {
    const { receipt } = settlement;
    const isFirst = !settled.has(receipt);
    settled.add(receipt);
    if (!isFirst || settlement.kind !== 'ack' || settlement.outbox.length > 0) continue;
    if (!(receipt instanceof Receipt) || receipt.key !== null) continue;
    const claim = claims.get(receipt.token);
    if (claim === undefined) claims.set(receipt.token, new Map([[receipt.rowId, settlement]]));
    else claim.set(receipt.rowId, settlement);
  }
  return claims;
}
