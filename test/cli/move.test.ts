import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { tailGroupName } from '../../src/cli/tail-group.js';
import { driverOf } from '../../src/open-queue.js';
import { entry, fill, sendAll, withDriver } from '../move/scene.js';
import { cli, World } from './world.js';

const folder = mkdtempSync(join(tmpdir(), 'signalbox-cli-move-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const newFile = (): string => `sqlite:${join(folder, `${++files}.db`)}`;

describe('move', () => {
  test('moves everything, says what, and leaves nothing', async () => {
    const [from, to] = [newFile(), newFile()];
    await fill(from, 3_600_000);

    const { code, stdout } = await cli(['move', from, to]);
    const after = await cli(['move', from, to, '--json']);
    const { world } = await cli(['topics', '--queue', to, '--json']);

    expect(code).toBe(0);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split(/ {2,}/)),
    ).toEqual([
      ['topic', 'group', 'messages', 'dead'],
      ['keyed', 'default', '60', '0'],
      ['plain.images', 'audit', '3', '0'],
      ['plain.images', 'default', '7', '3'],
      ['70 messages and 3 dead letters moved'],
    ]);
    expect(after.world.json).toMatchObject({
      dryRun: false,
      left: { waiting: 0, inTransit: 0, inHand: 0, lostLetters: 0 },
    });
    expect(world.json).toMatchObject({
      topics: [
        { topic: 'keyed', ready: 60, paused: false },
        { topic: 'plain.images', group: 'audit', ready: 2, delayed: 1 },
        { topic: 'plain.images', group: 'default', ready: 6, delayed: 1, dead: 3 },
      ],
    });
  });

  test('--dry-run says what is there and changes nothing', async () => {
    const [from, to] = [newFile(), newFile()];
    await fill(from, 3_600_000);

    const text = await cli(['move', from, to, '--dry-run']);
    const { world } = await cli(['move', from, to, '--dry-run', '--json']);
    const { world: source } = await cli(['topics', '--queue', from, '--json']);

    expect([text.code, text.stdout]).toEqual([
      0,
      expect.stringMatching(/^topic .*\nkeyed[\s\S]*\nnothing was moved\n$/),
    ]);
    expect(world.json).toMatchObject({
      dryRun: true,
      groups: [
        { topic: 'keyed', group: 'default', ready: 60, delayed: 0, inHand: 0, dead: 0 },
        { topic: 'plain.images', group: 'audit', ready: 2, delayed: 1, inHand: 0, dead: 0 },
        { topic: 'plain.images', group: 'default', ready: 6, delayed: 1, inHand: 0, dead: 3 },
      ],
    });
    expect(source.json).toMatchObject({ topics: [{ ready: 60, paused: false }, {}, {}] });
  });

  test.each([
    ['the same queue twice', ['sqlite:a.db', 'sqlite:./a.db?leaseMs=100'], 2, /both URLs lead to the same one/],
    ['a queue that ends with the command', ['memory:', 'sqlite:a.db'], 2, /memory: ends with this command/],
    ['a target that ends with the command', ['sqlite:a.db', 'memory:name'], 2, /memory: ends with this command/],
    ['a source that ends with the command', ['memory:name', 'sqlite:a.db'], 2, /memory: ends with this command/],
    ['an unknown scheme of the target', ['--dry-run', 'sqlite:a.db', 'nonsense://'], 2, /nothing is known/],
    ['one URL', ['sqlite:a.db'], 2, /missing required argument 'to'/],
    ['an unknown scheme', ['ftp://x', 'sqlite:a.db'], 2, /nothing is known about the scheme/],
  ])('refuses %s in one line', async (_, argv, expected, why) => {
    const { code, stdout, stderr } = await cli(['move', ...argv]);

    expect([code, stdout]).toEqual([expected, '']);
    expect(stderr).toMatch(why);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  test.each([[[]], [['--dry-run']]])(
    'a source that is not there is not found, and nothing is made (%j)',
    async (flags) => {
      const there = join(folder, `nowhere ${flags.length}`);

      const { code, stderr } = await cli(['move', `sqlite:${there}/x.db`, `sqlite:${there}/y.db`, ...flags]);

      expect([code, stderr]).toEqual([
        3,
        expect.stringMatching(/^signalbox: cannot move a queue: there is no queue .*\n$/),
      ]);
      expect(existsSync(there)).toBe(false);
    },
  );

  test('a source in which nobody has declared anything is not found', async () => {
    const [from, to] = [newFile(), newFile()];
    await cli(['migrate', '--queue', from]);

    expect(await cli(['move', from, to])).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/no topic was ever/),
    });
  });

  test('the groups of tails stay behind, with what is in them', async () => {
    const [from, to] = [newFile(), newFile()];
    await fill(from, 3_600_000);
    const tail = tailGroupName({ expiresAt: 0, host: 'gone', processId: 1 }, 0.5);
    await withDriver(from, async (driver) => {
      await driver.admin.addGroup('keyed', { name: tail, patterns: ['#'] });
      await sendAll(driver, [entry('keyed', 'seen by both')]);
    });

    const moved = await cli(['move', from, to]);
    const { world } = await cli(['topics', '--queue', to, '--json']);

    expect([moved.code, moved.stdout]).toEqual([0, expect.stringMatching(/^71 messages and 3 dead letters moved$/m)]);
    expect(moved.stdout).not.toContain(tail);
    expect(world.json).toMatchObject({ topics: [{ topic: 'keyed', group: 'default', ready: 61 }, {}, {}] });
    expect(world.stdout).not.toContain(tail);
  });

  test('names what the target does not take, and what is paused there, and fails', async () => {
    const [from, to] = [newFile(), newFile()];
    await fill(from, 3_600_000);
    await cli(['move', from, to]);
    await withDriver(from, (driver) => sendAll(driver, [entry('keyed', 'long', { message: { headers: { h: 'x' } } })]));
    const lower = async (url: string) => {
      const driver = await driverOf(url);
      const { capabilities } = driver;
      const limits = { ...capabilities.limits, headerBytes: 1 };
      Object.defineProperty(driver, 'capabilities', { value: { ...capabilities, limits } });
      return driver;
    };
    await cli(['pause', 'keyed', '--queue', to]);

    const { code, stdout, stderr } = await cli(['move', from, to], { connect: lower });

    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/^0 messages .* moved; in the source: 1 message that the target does not take$/m),
    ]);
    expect(stderr).toMatch(
      /^signalbox: not moved: message "long" of group "default" of "keyed": its header has 2 bytes, and sqlite takes at most 1$/m,
    );
    expect(stderr).toMatch(/^signalbox: 1 message stays in the source, .*"signalbox resume TOPIC GROUP"/m);
    expect(stderr).toMatch(
      /^signalbox: group "default" of "keyed" is paused in the target, .*"signalbox resume keyed default"/m,
    );
  });

  test('says what it does, and when it is stopped that it can be run again', async () => {
    const [from, to] = [newFile(), newFile()];
    await fill(from, 3_600_000);
    const world: World = new World({
      connect: async (url) => {
        const driver = await driverOf(url);
        const send = driver.send.bind(driver);
        driver.send = async (batch) => {
          world.signal('SIGINT');
          return send(batch);
        };
        return driver;
      },
    });

    const code = await world.run('move', from, to);
    const again = await cli(['move', from, to]);
    const { world: target } = await cli(['topics', '--queue', to, '--json']);

    expect([code, world.forced, world.stdout, world.listening]).toEqual([130, [], '', 0]);
    expect(world.stderr).toMatch(
      /^looking whether .*\npausing .*\n.* moved\nsignalbox: stopped by SIGINT .* run the same command again, and it goes on; until then groups of the source are paused\n$/,
    );
    expect(again.code).toBe(0);
    expect(target.json).toMatchObject({ topics: [{ ready: 60 }, { ready: 2 }, { ready: 6, dead: 3 }] });
  });
});
