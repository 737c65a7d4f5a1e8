import type { Capabilities } from '../driver.js';

const dayMs = 24 * 60 * 60 * 1000;

/** Everything but durability. Its numbers are choices, not limits of memory: what users of any backend may count on. */
export function capabilitiesWith(leaseMs: number): Capabilities {
  return {
    durable: false,
    delay: { resolutionMs: 1, maxMs: 365 * dayMs },
    ordering: { lanes: 1024, keyIsolation: 'full' },
    dedup: { windowMs: 30 * dayMs },
    transactions: true,
    atomicOutbox: true,
    singleWriter: false,
    lease: { ms: leaseMs },
    countsRedeliveries: true,
    countsGiveBack: false,
    depth: { ready: true, delayed: true, inHand: true, dead: true, oldestAgeMs: true },
    limits: { bodyBytes: 64 * 1024 * 1024, nameBytes: 100, headerBytes: 64 * 1024, batch: 1000, concurrentSends: 1 },
  };
}
