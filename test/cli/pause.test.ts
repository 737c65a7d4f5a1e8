import { describe, expect, test } from 'vitest';
import { populated } from './populated.js';
import { cli } from './world.js';

describe('pause and resume', () => {
  test('pause a group, which topics shows, and let it flow again', async () => {
    const url = await populated(0);

    const paused = await cli(['pause', 'images', '--queue', url]);
    const during = await cli(['topics', '--json', '--queue', url]);
    const table = await cli(['topics', '--queue', url]);
    const resumed = await cli(['resume', 'images', '--queue', url]);
    const after = await cli(['topics', '--json', '--queue', url]);

    expect([paused.code, paused.stdout]).toEqual([0, 'group default of images is paused\n']);
    expect([resumed.code, resumed.stdout]).toEqual([0, 'group default of images flows\n']);
    expect(statesIn(during.world.json)).toEqual({ audit: false, default: true });
    expect(table.stdout).toMatch(/^images +default .* paused *$/m);
    expect(table.stdout).toMatch(/^images +audit .* flows *$/m);
    expect(statesIn(after.world.json)).toEqual({ audit: false, default: false });
  });

  test('of a named group, twice, and for programs', async () => {
    const url = await populated(0);

    for (let n = 0; n < 2; n++) {
      const { code, world } = await cli(['pause', 'images', 'audit', '--json', '--queue', url]);
      expect([code, world.json]).toEqual([0, { topic: 'images', group: 'audit', paused: true }]);
    }
    for (let n = 0; n < 2; n++) {
      const { code, world } = await cli(['resume', 'images', 'audit', '--json', '--queue', url]);
      expect([code, world.json]).toEqual([0, { topic: 'images', group: 'audit', paused: false }]);
    }
  });

  test.each(['pause', 'resume'])('%s of what does not exist is exit code 3 and one line', async (command) => {
    const url = await populated(0);

    for (const what of [['nothing'], ['images', 'nobody']]) {
      const { code, stdout, stderr } = await cli([command, ...what, '--queue', url]);
      expect([code, stdout]).toEqual([3, '']);
      expect(stderr).toMatch(
        /^signalbox: cannot (pause|resume) group .*: (there is no such topic|the topic has no such group); "signalbox topics" lists those on this queue\n$/,
      );
    }
  });
});

function statesIn(json: unknown): Readonly<Record<string, boolean>> {
  const { topics } = json as { readonly topics: readonly { readonly group: string; readonly paused: boolean }[] };
  return Object.fromEntries(topics.map(({ group, paused }) => [group, paused]));
}
