export interface Beside {
  readonly raw: number;
  readonly ours: number;
}

/**
 * Measures raw, ours, raw, ours … raw, and answers the medians: machines change their mind between two minutes by a
 * factor of two, and what is divided has to be measured in the same ones. Each once before it, which does not count: what
 * runs for the first time is compiled meanwhile.
 */
export async function interleaved(
  rounds: number,
  raw: () => Promise<number>,
  ours: () => Promise<number>,
): Promise<Beside> {
  await raw();
  await ours();
  const measured = { raw: [await raw()], ours: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    measured.ours.push(await ours());
    measured.raw.push(await raw());
  }
  return { raw: median(measured.raw), ours: median(measured.ours) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = Number.NaN, high = Number.NaN] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return (low + high) / 2;
}
