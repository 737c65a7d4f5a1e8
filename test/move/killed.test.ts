import { describe, expect, test } from 'vitest';
import { builtPrograms, main } from '../cli/built-program.js';
import { empty, entry, plain, sendAll, withDriver } from './scene.js';
import { threeBackends } from './three-backends.js';

const freshUrl = await threeBackends();
const start = builtPrograms();
const count = 6_000;

describe.each([
  ['sqlite', 'mysql'],
  ['mysql', 'amqp'],
  ['amqp', 'sqlite'],
] as const)('a process that moves from %s to %s', (from, to) => {
  test('is killed again and again, and nothing is lost', { timeout: 300_000 }, async () => {
    const [source, target] = [await freshUrl[from](), await freshUrl[to]()];
    const ids = Array.from({ length: count }, (_, n) => `m${n}`);
    await withDriver(source, async (driver) => {
      await driver.declare({ topics: [plain] }, { mode: 'assert', change: false });
      await sendAll(
        driver,
        ids.map((id) => entry('jobs', id)),
      );
    });
    const argv = ['move', source, target, '--even-if-in-use', '--wait'];

    let kills = 0;
    for (let round = 0; ; round++) {
      const { child, ended } = start(main, ...argv);
      // Later each time, from while it opens to while it moves; once it got through, it was not killed.
      const kill = setTimeout(() => child.kill('SIGKILL'), 600 + 250 * round * (1 + Math.random()));
      const { code, signal, stderr } = await ended;
      clearTimeout(kill);
      if (signal === 'SIGKILL') kills++;
      else {
        expect([code, stderr]).toEqual([0, expect.not.stringMatching(/signalbox: cannot/)]);
        break;
      }
    }

    const { waiting } = await withDriver(target, (driver) => empty(driver, 'jobs', 'default'));
    const left = await withDriver(source, (driver) => driver.admin.depth('jobs', 'default'));
    const arrived = waiting.map(({ message }) => message.id);
    expect(kills).toBeGreaterThan(0);
    expect(left.ready).toBe(0);
    expect([...new Set(arrived)].sort()).toEqual([...ids].sort());
    if (to !== 'amqp') expect(arrived).toHaveLength(count);
  });
});
