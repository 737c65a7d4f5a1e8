import { interruptionOf } from './excuses.js';
import type { Hand, Ledger, MessageRecord } from './ledger.js';
import type { Profile } from './profile.js';

export interface KeyOrder {
  /** First deliveries of a key that came after one of a later message of it. */
  readonly inversions: readonly string[];
  /** Two messages of a key in hand at once. */
  readonly overlaps: readonly string[];
}

/** Looks at one key in one group. `records` in publish order, each published by one call, without delay. Pure. */
export function keyOrderOf(
  ledger: Ledger,
  profile: Profile,
  name: string,
  group: string,
  records: readonly MessageRecord[],
): KeyOrder {
  const inversions: string[] = [];
  let latest: { readonly n: number; readonly at: number } | null = null;
  const certain: (Hand & { readonly n: number; readonly until: number })[] = [];
  for (const { n, hands } of records) {
    const ours = hands.filter((hand) => hand.group === group);
    const first = Math.min(...ours.map(({ at }) => at));
    if (latest !== null && first < latest.at)
      inversions.push(`${name} in group ${group}: ${n} came before ${latest.n}`);
    if (Number.isFinite(first) && (latest === null || first > latest.at)) latest = { n, at: first };
    for (const hand of ours) {
      // Only a settlement that took effect proves that it was held to the end; and it was until the settlement began.
      if (hand.outcome !== 'done' || hand.settle === null || interruptionOf(ledger, profile, hand) !== null) continue;
      certain.push({ ...hand, n, until: hand.settle.at });
    }
  }
  certain.sort((a, b) => a.at - b.at);
  const overlaps: string[] = [];
  for (const [i, hand] of certain.entries()) {
    const before = certain[i - 1];
    if (before !== undefined && hand.at < before.until)
      overlaps.push(`${name} in group ${group}: ${hand.n} during ${before.n}`);
  }
  return { inversions, overlaps };
}
