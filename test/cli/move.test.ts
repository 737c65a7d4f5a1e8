import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { fill } from '../move/scene.js';
import { cli } from './world.js';

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
    ['the same queue twice', ['sqlite:a.db', 'sqlite:a.db'], 2, /both URLs are the same/],
    ['a queue that ends with the command', ['memory:', 'sqlite:a.db'], 2, /memory: ends with this command/],
    ['one URL', ['sqlite:a.db'], 2, /missing required argument 'to'/],
    ['an unknown scheme', ['ftp://x', 'sqlite:a.db'], 2, /nothing is known about the scheme/],
  ])('refuses %s in one line', async (_, argv, expected, why) => {
    const { code, stdout, stderr } = await cli(['move', ...argv]);

    expect([code, stdout]).toEqual([expected, '']);
    expect(stderr).toMatch(why);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
