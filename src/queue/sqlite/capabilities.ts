import type { Capabilities } from '../driver.js';

const dayMs = 24 * 60 * 60 * 1000;

/** Its numbers are choices, but for the body: SQLite keeps no value above a thousand million bytes, and 64 MiB is far from it. */
export function capabilitiesWith(leaseMs: number): Capabilities {
  return {
    durable: true,
    delay: { resolutionMs: 1, maxMs: 365 * dayMs },
    ordering: { lanes: 1024, keyIsolation: 'full' },
    dedup: { windowMs: 30 * dayMs },
    transactions: true,
    atomicOutbox: true,
    // One transaction at a time writes to a file, whoever has begun it.
    singleWriter: true,
    lease: { ms: leaseMs },
    countsRedeliveries: true,
    countsGiveBack: false,
    depth: { ready: true, delayed: true, inHand: true, dead: true, oldestAgeMs: true },
    limits: { bodyBytes: 64 * 1024 * 1024, nameBytes: 100, headerBytes: 64 * 1024, batch: 1000, concurrentSends: 1 },
  };
}
