import type { Wakes } from './wakes.js';

/** What was put into boxes, and in how long it can be claimed. */
export type Arrivals = readonly { readonly box: number; readonly inMs: number }[];

/** Tells of each box and time once, however many messages there were. */
export function tellArrivals(wakes: Wakes, arrivals: Arrivals): void {
  const told = new Map<number, Set<number>>();
  for (const { box, inMs } of arrivals) {
    const times = told.get(box) ?? new Set();
    if (times.has(inMs)) continue;
    told.set(box, times.add(inMs));
    wakes.tell([box], inMs);
  }
}
