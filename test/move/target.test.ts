import { existsSync } from 'node:fs';
import { moveMessages } from 'signalbox';
import { describe, expect, test } from 'vitest';
import { driverOf } from '../../src/open-queue.js';
import type { Driver, Send, TopicTopology } from '../../src/queue/driver.js';
import { type TcpProxy, tcpProxy } from '../servers/index.js';
import { ordered, plain } from '../topologies.js';
import { death, empty, entry, sendAll, withDriver } from './scene.js';
import { threeBackends } from './three-backends.js';

const freshUrl = await threeBackends();

const move = async (from: string, to: string | Driver) =>
  moveMessages(await driverOf(from), typeof to === 'string' ? await driverOf(to) : to, { watchMs: 0 });

function filled(url: string, topics: readonly TopicTopology[], sends: readonly Send[] = []): Promise<void> {
  return withDriver(url, async (driver) => {
    await driver.declare({ topics }, { mode: 'assert', change: false });
    await sendAll(driver, sends);
  });
}

const isPaused = (url: string, topic: string): Promise<boolean> =>
  withDriver(url, async ({ admin }) => (await admin.depth(topic, 'default')).paused);

const topicsOf = (url: string) => withDriver(url, ({ admin }) => admin.topics());

const idsIn = (url: string, topic: string): Promise<readonly (string | null)[]> =>
  withDriver(url, async (driver) => (await empty(driver, topic, 'default')).waiting.map(({ message }) => message.id));

describe('before anything is paused or declared', () => {
  test('a source in which nothing was declared makes no file of the target', async () => {
    const [source, target] = [await freshUrl.sqlite(), await freshUrl.sqlite()];
    await withDriver(source, async () => {});

    await expect(move(source, target)).rejects.toMatchObject({ code: 'not-found' });

    expect(existsSync(target.slice('sqlite:'.length))).toBe(false);
  });

  test('more lanes than the target has are refused, by topic and number', async () => {
    const [source, target] = [await freshUrl.sqlite(), await freshUrl.amqp()];
    await filled(source, [plain, { ...ordered, name: 'big', lanes: 1_000 }]);

    await expect(move(source, target)).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(
        /topic "big" has 1000 lanes, and amqp takes at most 256; nothing was changed: move/,
      ),
    });

    expect([await isPaused(source, 'big'), await isPaused(source, plain.name)]).toEqual([false, false]);
    expect(await topicsOf(target)).toEqual([]);
  });

  test('another topic of the same name in the target is refused', async () => {
    const [source, target] = [await freshUrl.sqlite(), await freshUrl.sqlite()];
    await filled(source, [plain, ordered]);
    await filled(target, [{ ...ordered, lanes: 5 }]);

    await expect(move(source, target)).rejects.toMatchObject({
      code: 'topology-mismatch',
      message: expect.stringMatching(
        /there, topic "keyed" exists with lanes 5, asked for 4; nothing was changed: name/,
      ),
    });

    expect([await isPaused(source, 'keyed'), await isPaused(source, plain.name)]).toEqual([false, false]);
    expect(await topicsOf(target)).toHaveLength(1);
  });

  test.each(['mysql', 'amqp'] as const)('a queue of %s that is reached by two ports is refused', async (backend) => {
    const url = await freshUrl[backend]();
    await filled(url, [plain, ordered], [entry(plain.name, 'a'), entry(plain.name, 'b')]);
    const before = await topicsOf(url);
    const proxy: TcpProxy = await tcpProxy(url);

    try {
      await expect(move(url, proxy.url(url))).rejects.toMatchObject({
        code: 'invalid',
        message: expect.stringMatching(/both URLs lead to the same one, by two addresses; nothing was changed/),
      });
    } finally {
      await proxy.close();
    }

    expect(await topicsOf(url)).toEqual(before);
    expect(await isPaused(url, plain.name)).toBe(false);
    expect([...(await idsIn(url, plain.name))].sort()).toEqual(['a', 'b']);
  });
});

test('an error after the source was paused says so, and what resumes it', async () => {
  const [source, target] = [await freshUrl.sqlite(), await driverOf(await freshUrl.sqlite())];
  await filled(source, [plain], [entry(plain.name, 'a')]);
  target.send = () => Promise.reject(new TypeError('no such thing'));

  await expect(move(source, target)).rejects.toThrow(
    /; groups of the source are paused now: move again, or resume them \("signalbox resume TOPIC GROUP"\)$/,
  );

  expect(await isPaused(source, plain.name)).toBe(true);
});

test('a group that is paused in the target is named', async () => {
  const [source, target] = [await freshUrl.sqlite(), await freshUrl.sqlite()];
  await filled(source, [plain, ordered]);
  await filled(target, [plain]);
  await withDriver(target, ({ admin }) => admin.pause(plain.name, 'default'));

  expect((await move(source, target)).pausedInTarget).toEqual([{ topic: plain.name, group: 'default' }]);
});

const mebibyte = 1_048_576;
/** What a target does not take, and the source does. */
const tooMuch = {
  headers: { headers: { long: 'x'.repeat(40_000) } },
  body: { body: Buffer.alloc(9 * mebibyte) },
} as const;

describe.each([
  ['sqlite', 'amqp', 'headers', /^its header has 40004 bytes, and amqp takes at most 32768$/],
  ['mysql', 'amqp', 'headers', /^its header has 40004 bytes, and amqp takes at most 32768$/],
  ['amqp', 'mysql', 'body', /^its body has 9437184 bytes, and mysql takes at most \d+$/],
] as const)('from %s to %s', (from, to, what, why) => {
  test('what the target does not take stays, with what waits behind it in order, and the rest is moved', {
    timeout: 60_000,
  }, async () => {
    const [source, target] = [await freshUrl[from](), await freshUrl[to]()];
    const keyed = (id: string, key: string, more = {}): Send => entry(ordered.name, id, { message: { key, ...more } });
    const dead = { target: { kind: 'dead', group: 'default', death, expireAfterMs: null } } as const;
    await filled(
      source,
      [plain, ordered],
      [
        keyed('a0', 'a'),
        keyed('a1', 'a', tooMuch[what]),
        ...Array.from({ length: 100 }, (_, n) => keyed(`a${n + 2}`, 'a')),
        ...Array.from({ length: 600 }, (_, n) => entry(plain.name, `other ${n}`)),
        entry(plain.name, 'large', { message: tooMuch[what] }),
        entry(plain.name, 'small'),
        entry(plain.name, 'dead', { ...dead, message: tooMuch[what] }),
        entry(plain.name, 'dead and small', dead),
      ],
    );

    const first = await move(source, target);
    const second = await move(source, target);

    for (const { staying, left } of [first, second]) {
      expect(left).toEqual({ waiting: 0, inTransit: 0, inHand: 0, lostLetters: 0 });
      expect(staying.count).toBe(103);
      expect(staying.refused.map(({ topic, id, dead: isDead }) => [topic, id, isDead])).toEqual(
        expect.arrayContaining([
          [ordered.name, 'a1', false],
          [plain.name, 'large', false],
          [plain.name, 'dead', true],
        ]),
      );
      for (const refused of staying.refused) expect(refused).toMatchObject({ why: expect.stringMatching(why) });
    }
    expect(second.groups.map(({ messages, deadLetters }) => messages + deadLetters)).toEqual([0, 0]);
    expect(await idsIn(target, ordered.name)).toEqual(['a0']);
    expect(await idsIn(source, ordered.name)).toEqual(Array.from({ length: 101 }, (_, n) => `a${n + 1}`));
    expect(await idsIn(source, plain.name)).toEqual(['large']);
    expect(await idsIn(target, plain.name)).toEqual(expect.arrayContaining(['small', 'other 0', 'other 599']));
    const letters = (url: string) =>
      withDriver(url, async (driver) =>
        (await empty(driver, plain.name, 'default')).letters.map(({ message }) => message.id),
      );
    expect([await letters(source), await letters(target)]).toEqual([['dead'], ['dead and small']]);
  });
});

test('delayed messages behind those that the target does not take are moved', { timeout: 60_000 }, async () => {
  const [source, target] = [await freshUrl.sqlite(), await freshUrl.amqp()];
  const late = (id: string, delayMs: number, more = {}): Send => entry(plain.name, id, { delayMs, message: more });
  await filled(
    source,
    [plain],
    [
      ...Array.from({ length: 30 }, (_, n) => late(`large ${n}`, 3_000_000, tooMuch.headers)),
      ...Array.from({ length: 30 }, (_, n) => late(`small ${n}`, 3_600_000)),
    ],
  );

  const { staying, groups } = await move(source, target);

  expect([staying.count, groups]).toMatchObject([30, [{ messages: 30 }]]);
  const stayed = await withDriver(source, (driver) => empty(driver, plain.name, 'default'));
  expect(stayed.waiting.map(({ message }) => message.id).sort()).toEqual(
    Array.from({ length: 30 }, (_, n) => `large ${n}`).sort(),
  );
  for (const { delayMs } of stayed.waiting) expect(delayMs).toBeGreaterThan(2_800_000);
});

test('what the server itself refuses stays', { timeout: 30_000 }, async () => {
  const [source, target] = [await freshUrl.sqlite(), await driverOf(await freshUrl.amqp())];
  const body = Buffer.alloc(17 * mebibyte);
  await filled(source, [plain], [entry(plain.name, 'large', { message: { body } }), entry(plain.name, 'small')]);
  // One whose limit was set lower than we know.
  const { capabilities } = target;
  const limits = { ...capabilities.limits, bodyBytes: 64 * mebibyte };
  Object.defineProperty(target, 'capabilities', { value: { ...capabilities, limits } });

  const { staying, groups } = await move(source, target);

  expect([staying, groups]).toMatchObject([{ count: 1, refused: [{ id: 'large' }] }, [{ messages: 1 }]]);
  expect(await idsIn(source, plain.name)).toEqual(['large']);
});
