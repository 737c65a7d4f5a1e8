import { describe, expect, it } from 'vitest';
import { BrokerTime } from '../../src/queue/amqp/broker-time.js';
import { systemClock } from '../../src/queue/driver.js';

/** A broker whose clock is so much ahead of ours, and what it writes: whole seconds. */
function world(aheadMs: number) {
  let now = 1_000_000;
  const time = new BrokerTime({ now: () => now, schedule: systemClock.schedule });
  return {
    time,
    pass: (ms: number) => {
      now += ms;
    },
    stamp: () => Math.floor((now + aheadMs) / 1_000),
  };
}

describe("the broker's time", () => {
  it('that has passed since a hand-over is never overrated, whatever our clock says', () => {
    for (const aheadMs of [-300_000, -750, 0, 333, 999, 300_000]) {
      for (const waitedMs of [0, 1, 900, 1_000, 2_500, 60_000]) {
        const { time, pass, stamp } = world(aheadMs);
        const handedOver = stamp();
        pass(waitedMs);
        time.saw(stamp());

        const passed = time.passedSince(handedOver);
        expect(passed).toBeLessThanOrEqual(waitedMs);
        expect(passed).toBeGreaterThanOrEqual(waitedMs - 2_000);
      }
    }
  });

  it('counts nothing as passed while it is not known', () => {
    const { time, stamp } = world(0);

    expect(time.passedSince(stamp() - 1_000)).toBe(0);
  });

  it('is ours, unless ours is visibly wrong', () => {
    const right = world(400);
    right.time.saw(right.stamp());
    const wrong = world(300_000);
    wrong.time.saw(wrong.stamp());

    expect(right.time.now()).toBe(1_000_000);
    expect(Math.abs(wrong.time.now() - 1_300_000)).toBeLessThanOrEqual(1_000);
  });
});
