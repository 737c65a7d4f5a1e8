import { describe, expect, test } from 'vitest';
import { populated } from './populated.js';
import { cli, newUrl } from './world.js';

const letters = (...argv: readonly string[]) => cli(['dead-letters', ...argv]);

async function deadAt(url: string): Promise<readonly string[]> {
  const { world } = await letters('list', 'images', '--json', '--queue', url);
  return (world.json as { letters: { id: string }[] }).letters.map(({ id }) => id);
}

describe('dead-letters list', () => {
  test('prints ids, causes and reasons, oldest first', async () => {
    const { code, stdout, stderr } = await letters('list', 'images', '--queue', await populated(2));

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^id .*\ndead-0 .* rejected +1 {2}no such\\x1b\[31m image\ndead-1 .*\n$/);
  });

  test('prints for programs what happened, without bodies', async () => {
    const { world } = await letters('list', 'images', '--json', '--queue', await populated(1));

    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/);
    expect(world.json).toEqual({
      letters: [
        {
          id: 'dead-0',
          topic: 'images',
          group: 'default',
          key: null,
          routingKey: null,
          publishedAt: time,
          buriedAt: time,
          death: {
            cause: 'rejected',
            reason: 'no such\u001b[31m image',
            attempt: 1,
            postpones: 0,
            redeliveries: 0,
            firstFailedAt: time,
            lastFailedAt: time,
            origin: expect.any(String),
          },
        },
      ],
      next: null,
    });
  });

  test('goes through them page by page', async () => {
    const url = await populated(3);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const argv = [
        'list',
        'images',
        '--json',
        '--limit',
        '2',
        '--queue',
        url,
        ...(cursor === null ? [] : ['--cursor', cursor]),
      ];
      const page = (await letters(...argv)).world.json as { letters: { id: string }[]; next: string | null };
      seen.push(...page.letters.map(({ id }) => id));
      cursor = page.next;
    } while (cursor !== null);

    expect(seen).toEqual(['dead-0', 'dead-1', 'dead-2']);
    expect((await letters('list', 'images', '--limit', '2', '--queue', url)).stderr).toMatch(/^more: --cursor '.+'\n$/);
  });

  test('of a group without any is an empty answer, not an error', async () => {
    const { code, stdout, stderr } = await letters('list', 'images', '--group', 'audit', '--queue', await populated(1));

    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: 'no dead letters\n' });
  });

  test('on a terminal is no wider than that, and keeps every word of the reason', async () => {
    const { stdout } = await cli(['dead-letters', 'list', 'images', '--queue', await populated(1)], {
      terminal: 70,
      env: { NO_COLOR: '1' },
    });

    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(70);
    expect(stdout).toMatch(/no such/);
    expect(stdout).toMatch(/image/);
  });
});

describe('dead-letters show', () => {
  test('prints the history and the body', async () => {
    const { code, stdout } = await letters('show', 'images', 'dead-1', '--queue', await populated(2));

    expect(code).toBe(0);
    expect(stdout).toMatch(/^id +dead-1\ntopic +images\ngroup +default\nheader via +test\n/);
    expect(stdout).toMatch(/\ncause +rejected\nreason +no such\\x1b\[31m image\nattempt +1\n/);
    expect(stdout).toMatch(/\nerror +PermanentError: no such/);
    expect(stdout.endsWith('\nbody\n{"n":1}\n')).toBe(true);
  });

  test('prints all of it for programs', async () => {
    const { world } = await letters('show', 'images', 'dead-0', '--json', '--queue', await populated(1));

    expect(world.json).toEqual({
      letters: [
        expect.objectContaining({
          id: 'dead-0',
          headers: { via: 'test' },
          bodyText: '{"n":0}',
          error: expect.objectContaining({ name: 'PermanentError' }),
        }),
      ],
    });
  });

  test('finds a letter on any page', async () => {
    const { code, stdout } = await letters('show', 'images', 'dead-120', '--queue', await populated(130));

    expect(code).toBe(0);
    expect(stdout).toContain('{"n":120}');
  });
});

describe('dead-letters redrive', () => {
  test('sends the named ones back to their group', async () => {
    const url = await populated(3);

    const { code, stdout } = await letters('redrive', 'images', 'dead-0', 'dead-2', '--queue', url);

    expect({ code, stdout }).toEqual({ code: 0, stdout: '2 redriven\n' });
    expect(await deadAt(url)).toEqual(['dead-1']);
    expect((await cli(['topics', '--json', '--queue', url])).world.json).toMatchObject({
      topics: expect.arrayContaining([expect.objectContaining({ group: 'default', ready: 3, dead: 1 })]),
    });
  });

  test('sends all back with --all, which may be none', async () => {
    const url = await populated(3);

    expect((await letters('redrive', 'images', '--all', '--json', '--queue', url)).world.json).toEqual({ redriven: 3 });
    expect(await letters('redrive', 'images', '--all', '--queue', url)).toMatchObject({
      code: 0,
      stdout: '0 redriven\n',
    });
  });

  test('does what it can and says that an id is not there', async () => {
    const { code, stdout, stderr } = await letters('redrive', 'images', 'dead-0', 'x', '--queue', await populated(1));

    expect({ code, stdout }).toEqual({ code: 3, stdout: '1 redriven\n' });
    expect(stderr).toMatch(/^signalbox: cannot redrive 1 of the 2 ids: no such dead letter;.*\n$/);
  });
});

describe('dead-letters purge', () => {
  test('deletes the named ones for good, or all', async () => {
    const url = await populated(3);

    expect(await letters('purge', 'images', 'dead-1', '--yes', '--queue', url)).toMatchObject({
      code: 0,
      stdout: '1 purged\n',
    });
    expect(await deadAt(url)).toEqual(['dead-0', 'dead-2']);
    expect((await letters('purge', 'images', '--all', '--yes', '--json', '--queue', url)).world.json).toEqual({
      purged: 2,
    });
    expect(await deadAt(url)).toEqual([]);
  });

  test('does nothing without --yes', async () => {
    const url = await populated(1);

    const { code, stderr } = await letters('purge', 'images', '--all', '--queue', url);

    expect(code).toBe(2);
    expect(stderr).toMatch(/they would be gone for good; add --yes/);
    expect(await deadAt(url)).toHaveLength(1);
  });
});

describe('what does not exist', () => {
  test.each([
    [
      'a topic',
      ['list', 'imagse'],
      /of "imagse": there is no such topic; "signalbox topics" lists those on this queue/,
    ],
    [
      'a topic to show from',
      ['show', 'imagse', 'x'],
      /of "imagse": there is no such topic; "signalbox topics" lists those on this queue/,
    ],
    ['a group', ['list', 'images', '--group', 'adit'], /"adit"/],
    ['a letter to show', ['show', 'images', 'x'], /cannot show dead letter "x" of "images": .*has no dead letter/],
    ['a letter to redrive', ['redrive', 'images', 'x'], /cannot redrive "x": no such dead letter/],
    ['a letter to purge', ['purge', 'images', 'x', '--yes'], /cannot purge "x": no such dead letter/],
  ])('%s is named, with exit code 3', async (_, argv, message) => {
    const { code, stderr } = await letters(...argv, '--queue', await populated(1));

    expect(stderr).toMatch(message);
    expect(stderr.match(/\n/g)).toHaveLength(1);
    expect(code).toBe(3);
  });
});

describe('misuse', () => {
  test.each([
    ['neither ids nor --all', ['redrive', 'images'], /no message is named; give either message ids or --all/],
    ['both', ['purge', 'images', 'x', '--all', '--yes'], /both ids and --all are given/],
    ['a name with a pattern in it', ['list', 'images.*'], /contains \* or #/],
    ['a group that cannot be', ['list', 'images', '--group', ''], /is empty/],
  ])('%s is exit code 2', async (_, argv, message) => {
    const { code, stderr } = await letters(...argv, '--queue', newUrl());

    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  test('a cursor that is none of ours is an error, not a first page', async () => {
    const { code, stderr } = await letters('list', 'images', '--cursor', 'garbage', '--queue', await populated(1));

    expect(stderr).toMatch(/cursor/);
    expect(code).toBe(2);
  });
});
