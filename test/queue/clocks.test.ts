import { sleep, systemClock, VirtualClock } from 'signalbox';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { nextTurn } from '../../src/queue/driver.js';

describe("the machine's clock", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('never calls early, not by a fraction', async () => {
    const early: number[] = [];
    await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        const delayMs = n / 10;
        const dueAt = systemClock.now() + delayMs;
        await new Promise<void>((resolve) => systemClock.schedule(resolve, delayMs));
        if (systemClock.now() < dueAt) early.push(n);
      }),
    );

    expect(early).toEqual([]);
  });

  it('never calls synchronously, and not at all when cancelled', async () => {
    let calls = 0;
    systemClock.schedule(() => calls++, -5);
    const cancel = systemClock.schedule(() => calls++, 0);
    expect(calls).toBe(0);
    cancel();
    cancel();

    await new Promise((resolve) => setTimeout(resolve, 5));

    expect(calls).toBe(1);
  });

  it('waits for what setTimeout cannot, in legs', () => {
    const asked: number[] = [];
    const fires: (() => void)[] = [];
    vi.spyOn(globalThis, 'setTimeout').mockImplementation(((fire: () => void, ms: number) => {
      asked.push(ms);
      fires.push(fire);
    }) as typeof setTimeout);
    let nowMs = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
    const longestMs = 2 ** 31 - 1;
    let calls = 0;

    systemClock.schedule(() => calls++, longestMs + 1_000.5);
    nowMs = longestMs;
    fires[0]?.();
    expect(calls).toBe(0);
    nowMs = longestMs + 1_000.4;
    fires[1]?.();
    expect(calls).toBe(0);
    nowMs = longestMs + 1_001;
    fires[2]?.();

    expect(calls).toBe(1);
    expect(asked).toEqual([longestMs, 1_001, 1]);
  });

  it('is the time of day, and does not follow somebody who sets it', () => {
    const before = systemClock.now();
    const timeOfDay = Date.now();
    vi.spyOn(Date, 'now').mockReturnValue(0);

    expect(systemClock.now()).toBeGreaterThanOrEqual(before);
    expect(Math.abs(before - timeOfDay)).toBeLessThan(60_000);
  });
});

describe('sleep', () => {
  it('ends with its time or with its signal, and leaves neither timer nor listener', async () => {
    const clock = new VirtualClock();
    const waking = new AbortController();
    const remove = vi.spyOn(waking.signal, 'removeEventListener');
    let awake = 0;

    void sleep(clock, 1_000, waking.signal).then(() => awake++);
    void sleep(clock, 2_000, waking.signal).then(() => awake++);
    await clock.advance(1_000);
    expect([awake, clock.pending]).toEqual([1, 1]);
    expect(remove).toHaveBeenCalledTimes(1);
    waking.abort();
    await clock.advance(0);
    expect([awake, clock.pending]).toEqual([2, 0]);
    await sleep(clock, 1_000, waking.signal);
    expect(clock.pending).toBe(0);
  });
});

describe('the virtual clock', () => {
  it('runs what falls due in order, those of one instant as they were asked for, and lets promises settle between', async () => {
    const clock = new VirtualClock(0);
    const log: string[] = [];
    clock.schedule(() => log.push(`b ${clock.now()}`), 20);
    clock.schedule(() => {
      log.push(`a ${clock.now()}`);
      void Promise.resolve().then(() => clock.schedule(() => log.push(`from a ${clock.now()}`), 5));
    }, 10);
    clock.schedule(() => log.push(`c ${clock.now()}`), 20);

    await clock.advance(19);
    expect(log).toEqual(['a 10', 'from a 15']);
    await clock.advance(1);

    expect(log).toEqual(['a 10', 'from a 15', 'b 20', 'c 20']);
    expect([clock.now(), clock.pending, clock.nextDueAt]).toEqual([20, 0, null]);
  });

  it('stands still until it is told to move; 0 lets run what is due', async () => {
    const clock = new VirtualClock(5);
    let calls = 0;
    clock.schedule(() => calls++, 0);
    clock.schedule(() => calls++, -10);
    expect(calls).toBe(0);

    await clock.advance(0);

    expect([calls, clock.now()]).toEqual([2, 5]);
  });

  it('cancelling takes a timer away, also twice, also afterwards', async () => {
    const clock = new VirtualClock();
    let calls = 0;
    const cancel = clock.schedule(() => calls++, 10);
    const done = clock.schedule(() => calls++, 5);
    cancel();
    cancel();

    await clock.advance(10);
    done();

    expect([calls, clock.pending]).toEqual([1, 0]);
  });

  it('a delay that is no number is none, and cannot stop the clock', async () => {
    const clock = new VirtualClock(0);
    let calls = 0;
    clock.schedule(() => calls++, Number.NaN);
    clock.schedule(() => calls++, 10);

    await clock.advance(10);

    expect([calls, clock.now(), clock.pending]).toEqual([2, 10, 0]);
  });

  it('moves until a condition holds, and says when it cannot', async () => {
    const clock = new VirtualClock(0);
    let done = false;
    clock.schedule(() => {
      done = true;
    }, 500);

    await expect(clock.advanceUntil(() => done, 400)).rejects.toThrow('400 ms of virtual time');
    await clock.advanceUntil(() => done, 1_000);
    expect(clock.now()).toBe(500);
    await expect(clock.advanceUntil(() => false, 1_000)).rejects.toThrow('no timer waits');
    await expect(clock.advance(-1)).rejects.toThrow(RangeError);
    await expect(clock.advance(Number.NaN)).rejects.toThrow(RangeError);
  });
});

it('who lets the event loop turn goes on before the virtual clock moves', async () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  clock.schedule(() => seen.push('later'), 1);
  void (async () => {
    for (let turn = 1; turn <= 3; turn++) {
      await nextTurn();
      seen.push(`turn ${turn}`);
    }
  })();

  await clock.advance(1);

  expect(seen).toEqual(['turn 1', 'turn 2', 'turn 3', 'later']);
});
