export interface Ack {
  readonly tag: number;
  /** Whether everything before it on the channel is acked with it. */
  readonly multiple: boolean;
}

/**
 * The acks to write for these tags of one channel: one for all that stand before the oldest unsettled one, since nobody
 * holds anything there, and one for each of the rest. `oldestUnsettled` is null where nobody holds anything. Pure.
 */
export function fewestAcks(tags: readonly number[], oldestUnsettled: number | null): readonly Ack[] {
  const end = oldestUnsettled ?? Number.POSITIVE_INFINITY;
  const rest: Ack[] = [];
  let highest = 0;
  let together = 0;
  for (const tag of tags) {
    if (tag > end) {
      rest.push({ tag, multiple: false });
    } else {
      highest = Math.max(highest, tag);
      together++;
    }
  }
  return together === 0 ? rest : [{ tag: highest, multiple: together > 1 }, ...rest];
}
