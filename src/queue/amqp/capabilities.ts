import type { Capabilities } from '../driver.js';
import { longestDelayMs } from './delay-parts.js';
import type { QueueType } from './queue-arguments.js';

/**
 * What RabbitMQ can do. With classic queues it does not count how often it handed a message out; delays and dead
 * letters are in quorum queues all the same, and lose nothing.
 */
export function capabilitiesWith(queueType: QueueType): Capabilities {
  return {
    durable: true,
    delay: { resolutionMs: 1, maxMs: longestDelayMs },
    ordering: { lanes: 256, keyIsolation: 'window' },
    dedup: null,
    transactions: false,
    atomicOutbox: false,
    singleWriter: false,
    lease: null,
    countsRedeliveries: queueType === 'quorum',
    countsGiveBack: true,
    depth: { ready: true, delayed: false, inHand: false, dead: true, oldestAgeMs: false },
    limits: {
      // What RabbitMQ 4 takes at most by default; 3.10 takes 128 MiB.
      bodyBytes: 16 * 1_048_576,
      nameBytes: 100,
      // All headers are one frame of 128 KiB; other senders stop at 64 KiB, and a dead letter needs some 10 of ours.
      headerBytes: 32_768,
      batch: 16,
      concurrentSends: 256,
    },
  };
}
