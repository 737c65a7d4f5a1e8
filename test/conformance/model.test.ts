import type { Driver } from 'signalbox';
import { faulty, type Harness, modelRun } from 'signalbox/conformance';
import { type MemoryDriver, memory, memoryStore } from 'signalbox/memory';
import { describe, expect, it } from 'vitest';
import { loadFastCheck } from '../../src/queue/conformance/model/fast-check.js';
import { withoutLeases } from './faults-world.js';
import { memoryHarness } from './memory-harness.js';
import { driverMutants } from './model-mutants.js';

const mutant = (name: string): ((driver: Driver) => Driver) => {
  const wrap = driverMutants[name];
  if (wrap === undefined) throw new Error(`there is no mutant ${name}`);
  return wrap;
};

describe('the model of a driver', () => {
  it('finds nothing in 1000 sequences on the memory driver', async () => {
    const { failure, runs } = await modelRun({ harness: memoryHarness(), runs: 1_000 });

    expect(failure?.report ?? null).toBeNull();
    expect(runs).toBe(1_000);
  }, 60_000);

  it.each(Object.entries(driverMutants))('finds a driver that %s within 200 sequences', async (_, wrap) => {
    const { failure } = await modelRun({ harness: memoryHarness({ wrap }), runs: 200, seed: 1 });

    expect(failure).not.toBeNull();
    // Short enough to be read.
    expect(failure?.commands.length).toBeLessThanOrEqual(8);
  });

  it('runs a failure again from what it printed, and finds the same', async () => {
    const wrap = mutant('delivers a millisecond early');
    const { failure } = await modelRun({ harness: memoryHarness({ wrap }), seed: 5 });

    const again = await modelRun({ harness: memoryHarness({ wrap }), replay: failure?.replay });

    expect(failure?.report).toContain(`replay: '${failure?.replay}'`);
    expect(again.failure?.commands).toEqual(failure?.commands);
    expect(again.failure?.replay).toBe(failure?.replay);
  });

  it('does the same with the same seed', async () => {
    const wrap = mutant('extends a lost lease');
    const found = async (): Promise<string | undefined> =>
      (await modelRun({ harness: memoryHarness({ wrap }), seed: 3 })).failure?.replay;

    expect(await found()).toBe(await found());
  });
});

describe('the model of a queue', () => {
  it('finds nothing in 1000 sequences on the memory driver', async () => {
    const { failure, runs } = await modelRun({ harness: memoryHarness(), layer: 'queue', runs: 1_000 });

    expect(failure?.report ?? null).toBeNull();
    expect(runs).toBe(1_000);
  }, 60_000);

  it('finds nothing where calls fail and answers are lost that can be made good', async () => {
    let faults = 0;
    const wrap = (driver: Driver): Driver => {
      const failing = faulty(driver, {
        faults: [
          { fault: 'lose-answer', of: 'send', probability: 0.2 },
          { fault: 'fail', of: 'send', probability: 0.1 },
          { fault: 'fail', of: 'subscribe', probability: 0.1 },
          { fault: 'fail', of: 'receive', probability: 0.1 },
          { fault: 'fail', of: 'settle', probability: 0.1 },
          { fault: 'fail-entry', of: 'send', probability: 0.1 },
          { fault: 'fail-entry', of: 'settle', probability: 0.1 },
          { fault: 'fail', of: 'extend', probability: 0.1 },
        ],
      });
      const { close } = failing;
      failing.close = () => {
        faults += failing.injected.length;
        return close.call(failing);
      };
      return failing;
    };

    const { failure } = await modelRun({ harness: memoryHarness({ wrap }), layer: 'queue', runs: 300 });

    expect(failure?.report ?? null).toBeNull();
    expect(faults).toBeGreaterThan(1_000);
  }, 60_000);

  it.each([
    'forgets the attempt at a nack',
    'delivers a millisecond early',
    'loses a message that is postponed',
    'counts a give-back as a redelivery',
    'redrives a letter twice',
  ])('finds a driver that %s within 200 sequences', async (name) => {
    const { failure } = await modelRun({
      harness: memoryHarness({ wrap: mutant(name) }),
      layer: 'queue',
      runs: 200,
      seed: 1,
    });

    expect(failure).not.toBeNull();
    expect(failure?.commands.length).toBeLessThanOrEqual(10);
  });

  it('finds a driver that stores twice', async () => {
    const wrap = (driver: Driver): Driver => faulty(driver, { faults: [{ fault: 'duplicate', probability: 0.1 }] });

    const { failure } = await modelRun({ harness: memoryHarness({ wrap }), layer: 'queue', seed: 1 });

    expect(failure?.report).toMatch(/owed no such message/);
  });
});

describe('running a model', () => {
  it.each(['driver', 'queue'] as const)(
    'works where the connection keeps what is held (%s)',
    async (layer) => {
      const harness = memoryHarness({ wrap: withoutLeases, leaseMs: 1e12 });

      const { failure } = await modelRun({ harness, layer, runs: 300 });

      expect(failure?.report ?? null).toBeNull();
    },
    60_000,
  );

  it('works on real time', async () => {
    const store = memoryStore();
    const drivers = new WeakMap<Driver, MemoryDriver>();
    const harness: Harness = {
      backend: 'memory',
      version: 'on real time',
      time: { kind: 'real', timeFactor: 1 },
      client: () => {
        const driver = memory({ store });
        drivers.set(driver, driver);
        return driver;
      },
      cutConnections: (driver) => drivers.get(driver)?.cut(),
      killSubscriber: (driver) => drivers.get(driver)?.kill(),
    };

    for (const layer of ['driver', 'queue'] as const) {
      const { failure } = await modelRun({ harness, layer, runs: 10 });
      expect(failure?.report ?? null).toBeNull();
    }
  }, 60_000);

  it.each([
    ['no runs', { runs: 0 }, /runs: must be at least 1/],
    ['NaN', { seed: Number.NaN }, /seed: must be a whole number/],
    ['a layer that is none', { layer: 'cake' }, /layer: must be "driver" or "queue"/],
    ['a replay of something else', { replay: 'again' }, /replay: must be what a failure printed/],
    ['a misspelt option', { run: 5 }, /run/],
    ['no harness', { harness: undefined }, /harness: must be a harness/],
  ])('is refused with %s', async (_, options, message) => {
    const running = modelRun({ harness: memoryHarness(), ...(options as object) });

    await expect(running).rejects.toThrow(message);
    await expect(running).rejects.toMatchObject({ name: 'QueueError', code: 'invalid' });
  });

  it('without fast-check says which package to install', async () => {
    const missing = Object.assign(new Error("Cannot find package 'fast-check'"), { code: 'ERR_MODULE_NOT_FOUND' });

    await expect(loadFastCheck(() => Promise.reject(missing))).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('npm install --save-dev fast-check'),
    });
  });
});
