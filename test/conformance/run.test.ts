import type { Driver } from 'signalbox';
import {
  allCases,
  type CaseResult,
  type ConformanceReport,
  registerConformance,
  reportAsText,
  runConformance,
} from 'signalbox/conformance';
import { describe, expect, it } from 'vitest';
import type { DriverSubscription } from '../../src/queue/driver.js';
import { memoryHarness } from './memory-harness.js';
import { slowMemoryHarness } from './slow-memory-harness.js';

const never = (): Promise<never> => new Promise(() => {});

/** The same object with some of its members in other words. */
function changed<T extends object>(whole: T, changes: Partial<T>): T {
  return new Proxy(whole, {
    get: (inner, name) => {
      if (name in changes) return changes[name as keyof T];
      const value: unknown = Reflect.get(inner, name, inner);
      return typeof value === 'function' ? value.bind(inner) : value;
    },
  });
}

const overSubscriptions =
  (change: (subscription: DriverSubscription) => Partial<DriverSubscription>) =>
  (driver: Driver): Driver =>
    changed(driver, {
      subscribe: async (options) => {
        const subscription = await driver.subscribe(options);
        return changed(subscription, change(subscription));
      },
    });

const hanging: Record<string, (driver: Driver) => Driver> = {
  declare: (driver) => changed(driver, { declare: never }),
  send: (driver) => changed(driver, { send: never }),
  subscribe: (driver) => changed(driver, { subscribe: never }),
  receive: overSubscriptions(() => ({ receive: never })),
  settle: overSubscriptions(() => ({ settle: never })),
  'close of a subscription': overSubscriptions(() => ({ close: never })),
  depth: (driver) => changed(driver, { admin: changed(driver.admin, { depth: never }) }),
  letters: (driver) => changed(driver, { admin: changed(driver.admin, { letters: never }) }),
};

const casesOf = ({ promises }: ConformanceReport): readonly CaseResult[] => promises.flatMap(({ cases }) => cases);
const idsWith = (report: ConformanceReport, status: CaseResult['status']): readonly string[] =>
  casesOf(report)
    .filter((each) => each.status === status)
    .map(({ id }) => id);

describe('a run of the suite', () => {
  it.each(Object.entries(hanging))('ends, and names cases, where the verb %s never answers', async (_, wrap) => {
    const only = allCases.filter(({ number }) => ['S1', '21.2', '21.8', 'C2'].includes(number)).map(({ id }) => id);

    const report = await runConformance(memoryHarness({ wrap }), { only });

    expect(idsWith(report, 'failed').length).toBeGreaterThan(0);
  });

  it.each(Object.entries(hanging))('ends in real time, too, where %s never answers', async (_, wrap) => {
    const only = [
      'looking-at-letters-changes-nothing',
      'redriving-moves-a-letter',
      'the-depth-of-a-quiet-group-is-exact',
    ];
    // A minute becomes half a second.
    const harness = slowMemoryHarness({ wrap, leastMs: 0, mostMs: 1, timeFactor: 0.01 });

    const report = await runConformance(harness, { only });

    expect(idsWith(report, 'failed').length).toBeGreaterThan(0);
  });

  it.each(['open', 'close'] as const)('says which verb of the first client never answers: %s', async (verb) => {
    const wrap = (driver: Driver): Driver => changed(driver, { [verb]: never });
    let closed = 0;

    const running = runConformance({ ...memoryHarness({ wrap }), close: () => void closed++ });

    await expect(running).rejects.toThrow(`cannot try memory: ${verb} of the first client failed`);
    expect(closed).toBe(1);
  });

  it('survives calls that a failed case has left behind', async () => {
    const wrap = (driver: Driver): Driver => changed(driver, { send: () => Promise.reject(new Error('no')) });

    const report = await runConformance(memoryHarness({ wrap }), {
      only: ['a-publish-that-waits-behind-another-can-be-aborted-and-is-not-sent', 'twenty-topics-do-not-mix'],
    });

    expect(idsWith(report, 'failed')).toContain('twenty-topics-do-not-mix');
  });

  it('is refused with a concurrency that is none', async () => {
    for (const concurrency of [0, -1, 1.5, Number.NaN])
      await expect(runConformance(memoryHarness(), { concurrency })).rejects.toThrow(
        /concurrency must be a whole number/,
      );
  });
});

describe('cases side by side', () => {
  const quick = allCases.filter(({ layer, number }) => layer === 'driver' && ['P1', 'S7', '10.1'].includes(number));
  const only = quick.map(({ id }) => id);

  /** How many cases had their first client open at once. */
  async function most(concurrency: number): Promise<{ readonly atOnce: number; readonly report: ConformanceReport }> {
    let open = 0;
    let atOnce = 0;
    const wrap = (driver: Driver): Driver =>
      changed(driver, {
        declare: async (...given) => {
          atOnce = Math.max(atOnce, ++open);
          return driver.declare(...given).finally(() => open--);
        },
      });
    const report = await runConformance(slowMemoryHarness({ wrap, timeFactor: 3 }), { only, concurrency });
    return { atOnce, report };
  }

  it('run as many at once as is said, and are reported in their order', async () => {
    const [one, four] = [await most(1), await most(4)];

    expect(one.atOnce).toBe(1);
    expect(four.atOnce).toBeGreaterThan(1);
    expect(four.atOnce).toBeLessThanOrEqual(4);
    for (const { report } of [one, four]) {
      expect(reportAsText(report)).not.toContain('FAIL');
      expect(casesOf(report).map(({ id }) => id)).toEqual(only);
    }
  }, 60_000);

  it('are registered beside each other in real time, and one after the other on a virtual clock', async () => {
    const registered = async (harness: Parameters<typeof registerConformance>[1]) => {
      const names = { test: [] as string[], concurrent: [] as string[] };
      await registerConformance(
        { test: (name) => names.test.push(name), concurrent: (name) => names.concurrent.push(name) },
        harness,
      );
      return names;
    };

    const real = await registered({ ...slowMemoryHarness(), restartBackend: async () => {} });
    const virtual = await registered(memoryHarness());

    // The memory driver is not durable, so that one case is left of those that restart the backend.
    expect(real.test).toEqual(['24.1 consumers resume after a restart of the backend (queue)']);
    expect(real.concurrent.length).toBeGreaterThan(250);
    expect(virtual.concurrent).toEqual([]);
  });
});
