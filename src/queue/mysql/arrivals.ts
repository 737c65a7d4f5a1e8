import type { Wakes } from './wakes.js';

/** What was put into boxes, and in how long it can be claimed. */
export type Arrivals = readonly { readonly box: number; readonly inMs: number }[];

/** Tells of each box and time once, however many messages there were. */
export function tellArrivals(wakes: Wakes, arrivals: Arrivals): void {
  const told = new Set<string>();
  for (const { box, inMs } of arrivals) {
    const what = `${box} ${inMs}`;
    if (told.has(what)) continue;
    told.add(what);
    wakes.tell([box], inMs);
  }
}
