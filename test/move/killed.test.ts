import { describe, expect, test } from 'vitest';
import { builtPrograms, main } from '../cli/built-program.js';
import { ordered, plain } from '../topologies.js';
import { empty, entry, sendAll, withDriver } from './scene.js';
import { threeBackends } from './three-backends.js';

const freshUrl = await threeBackends();
const start = builtPrograms();
const count = 1_500;
const keys = ['a', 'b', 'c', 'd', 'e'];

describe.each([
  ['sqlite', 'mysql'],
  ['sqlite', 'amqp'],
  ['mysql', 'sqlite'],
  ['mysql', 'amqp'],
  ['amqp', 'sqlite'],
  ['amqp', 'mysql'],
] as const)('a process that moves from %s to %s', (from, to) => {
  test('is killed again and again, and nothing is lost, alike or in order', { timeout: 120_000 }, async () => {
    const [source, target] = [await freshUrl[from](), await freshUrl[to]()];
    const numbers = Array.from({ length: count }, (_, n) => n);
    await withDriver(source, async (driver) => {
      await driver.declare({ topics: [plain, ordered] }, { mode: 'assert', change: false });
      await sendAll(
        driver,
        numbers.map(() => entry(plain.name, '', { message: { id: null, body: Buffer.from('{}') } })),
      );
      await sendAll(
        driver,
        numbers.map((n) => entry(ordered.name, `m${n}`, { message: { key: keys[n % keys.length] as string } })),
      );
    });
    // A kill while a server makes tables leaves them to "signalbox migrate", as it says.
    await withDriver(target, async () => {});
    const argv = ['move', source, target, '--even-if-in-use', '--wait'];

    let kills = 0;
    for (let round = 0; ; round++) {
      const { child, ended } = start(main, ...argv);
      // Later each time, from while it opens to while it moves; once it got through, it was not killed.
      const kill = setTimeout(() => child.kill('SIGKILL'), 600 * 1.6 ** round * (1 + Math.random() / 4));
      const { code, signal, stderr } = await ended;
      clearTimeout(kill);
      if (signal === 'SIGKILL') kills++;
      else {
        expect([code, stderr]).toEqual([0, expect.not.stringMatching(/signalbox: cannot/)]);
        break;
      }
    }

    const found = await withDriver(target, async (driver) => ({
      alike: (await empty(driver, plain.name, 'default')).waiting.length,
      inOrder: (await empty(driver, ordered.name, 'default')).waiting,
    }));
    const left = await withDriver(source, ({ admin }) =>
      Promise.all([plain, ordered].map(async ({ name }) => (await admin.depth(name, 'default')).ready)),
    );
    expect(kills).toBeGreaterThan(0);
    expect(left).toEqual([0, 0]);
    for (const key of keys) {
      const ids = found.inOrder.flatMap(({ message }) => (message.key === key ? [message.id] : []));
      // What is there twice comes again behind all that came before it.
      expect([...new Set(ids)]).toEqual(numbers.flatMap((n) => (keys[n % keys.length] === key ? [`m${n}`] : [])));
    }
    expect(found.alike).toBeGreaterThanOrEqual(count);
    if (to !== 'amqp') expect([found.alike, found.inOrder.length]).toEqual([count, count]);
  });
});
