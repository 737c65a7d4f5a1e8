import { describe, expect, test } from 'vitest';
import { ageText } from '../../src/cli/commands/topics.js';
import { populated } from './populated.js';
import { cli, connectDurable, escapeSequence, newUrl } from './world.js';

describe('topics', () => {
  test('prints per topic and group what is ready, delayed, in hand and dead', async () => {
    const { code, stdout } = await cli(['topics', '--queue', await populated(2)]);

    expect(code).toBe(0);
    const [head, ...lines] = stdout.trimEnd().split('\n');
    expect(head?.split(/ {2,}/)).toEqual(['topic', 'group', 'ready', 'delayed', 'in hand', 'dead', 'oldest', 'state']);
    expect(lines.map((line) => line.split(/ {2,}/).slice(0, 6)).sort()).toEqual([
      ['images', 'audit', '1', '0', '0', '0'],
      ['images', 'default', '1', '1', '0', '2'],
    ]);
  });

  test('prints the same for programs', async () => {
    const { world } = await cli(['topics', '--json', '--queue', await populated(1)]);

    expect(world.json).toEqual({
      topics: expect.arrayContaining([
        {
          topic: 'images',
          group: 'default',
          patterns: ['#'],
          ready: 1,
          delayed: 1,
          inHand: 0,
          dead: 1,
          oldestAgeMs: expect.any(Number),
          paused: false,
        },
        expect.objectContaining({ group: 'audit', patterns: ['eu.#'], ready: 1 }),
      ]),
    });
  });

  test('of a queue without any is an empty answer, not an error', async () => {
    const { code, stdout, stderr } = await cli(['topics', '--queue', newUrl()]);

    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toMatch(/^no topics: this queue lives in one process/);
    expect((await cli(['topics', '--queue', newUrl()], { connect: connectDurable })).stderr).toMatch(
      /^no topics: nothing has declared one/,
    );
    expect((await cli(['topics', '--json', '--queue', newUrl()])).world.json).toEqual({ topics: [] });
  });

  test('declares nothing by looking', async () => {
    const url = newUrl();

    await cli(['topics', '--queue', url]);

    expect((await cli(['topics', '--json', '--queue', url])).world.json).toEqual({ topics: [] });
  });

  test('has colours on a terminal, and none elsewhere, with NO_COLOR or on a dumb one', async () => {
    const argv = ['topics', '--queue', await populated(0)];

    expect((await cli(argv, { terminal: 100 })).stdout).toMatch(escapeSequence);
    expect((await cli(argv)).stdout).not.toMatch(escapeSequence);
    expect((await cli(argv, { terminal: 100, env: { NO_COLOR: '1' } })).stdout).not.toMatch(escapeSequence);
    expect((await cli(argv, { terminal: 100, env: { TERM: 'dumb' } })).stdout).not.toMatch(escapeSequence);
  });
});

test.each([
  [0, '0 ms'],
  [950.4, '950 ms'],
  [12_340, '12.3 s'],
  [61_000, '1 min'],
  [3 * 3_600_000, '3 h'],
  [49 * 3_600_000, '2 d'],
])('an age of %d ms is written %s', (ms, text) => expect(ageText(ms)).toBe(text));
