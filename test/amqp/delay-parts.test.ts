import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  coinDelaysMs,
  exactPart,
  firstPart,
  longestDelayMs,
  longestQueueMs,
  shortestQueueMs,
} from '../../src/queue/amqp/delay-parts.js';

describe('the parts of a delay', () => {
  it.each([
    [99, null],
    [100, 100],
    [109, 100],
    [250, 250],
    [999, 990],
    [1_000, 1_000],
    [3_725, 3_700],
    [60_000, 60_000],
    [86_400_000, 86_000_000],
    [longestDelayMs, longestQueueMs],
  ])('%i ms has a queue of %s ms', (delayMs, queueMs) => {
    expect(exactPart(delayMs)).toBe(queueMs);
  });

  it('need at most 90 queues per decade, however random the delays are', () => {
    const queues = new Set<number>();
    for (let ms = 100; ms < 100_000; ms += 7) queues.add(exactPart(ms) as number);

    expect(queues.size).toBeLessThanOrEqual(3 * 90);
  });

  it('never exceed the delay, use durable queues alone, and leave less than 100 ms', () => {
    const known = fc.array(fc.integer({ min: 100, max: longestDelayMs }).map((ms) => exactPart(ms) as number));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: longestDelayMs }), known, (delayMs, learnt) => {
        const durable = new Set([...coinDelaysMs, ...learnt]);
        let leftMs = delayMs;
        let hops = 0;
        for (let part = firstPart(leftMs, durable); part !== null; part = firstPart(leftMs, durable)) {
          expect(durable.has(part)).toBe(true);
          expect(part).toBeLessThanOrEqual(leftMs);
          leftMs -= part;
          hops++;
        }
        expect(leftMs).toBeLessThan(shortestQueueMs);
        expect(hops).toBeLessThan(100);
      }),
    );
  });

  it('begin with the largest, so that most of the delay passes when no process runs', () => {
    const durable = new Set(coinDelaysMs);

    expect(firstPart(3_725, durable)).toBe(2_000);
    expect(firstPart(3_725, new Set([...durable, 3_700]))).toBe(3_700);
  });
});
