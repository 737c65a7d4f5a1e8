/**
 * Shares lanes out between readers, evenly to within one, moving as few as possible: who joins is given
 * what the others have too much, who leaves is followed by those who have least. `owners` says who has each
 * lane now (null: nobody); the answer is of the same length, all null when there are no readers. Pure.
 */
export function shareLanes<R>(owners: readonly (R | null)[], readers: readonly R[]): readonly (R | null)[] {
  if (readers.length === 0) return owners.map(() => null);
  const spare = spareRoom(owners, readers);
  const kept = owners.map((owner) => {
    const room = owner === null ? undefined : spare.get(owner);
    if (owner === null || room === undefined || room === 0) return null;
    spare.set(owner, room - 1);
    return owner;
  });
  const takers = readers.flatMap((reader) => new Array<R>(spare.get(reader) ?? 0).fill(reader));
  let next = 0;
  return kept.map((owner) => owner ?? takers[next++] ?? null);
}

/** How many lanes each reader should have: where it does not come out even, those who have most keep one more. */
function spareRoom<R>(owners: readonly (R | null)[], readers: readonly R[]): Map<R, number> {
  const has = new Map<R, number>(readers.map((reader) => [reader, 0]));
  for (const owner of owners) {
    if (owner !== null && has.has(owner)) has.set(owner, (has.get(owner) ?? 0) + 1);
  }
  const richestFirst = [...readers].sort((one, other) => (has.get(other) ?? 0) - (has.get(one) ?? 0));
  const least = Math.floor(owners.length / readers.length);
  const withOneMore = owners.length % readers.length;
  return new Map(richestFirst.map((reader, rank) => [reader, rank < withOneMore ? least + 1 : least]));
}
