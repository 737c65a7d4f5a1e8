// Commands that only look, where there is nothing to see; and what is a slip of the hand in how they are told where to look.
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cli } from './world.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'signalbox-nothing-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const looking = [
  ['topics'],
  ['topology'],
  ['tail', 'jobs'],
  ['pause', 'jobs'],
  ['dead-letters', 'list', 'jobs'],
  ['builds'],
  ['builds', 'show', 'x'],
];

test.each(looking)('%s %s %s makes no file that was named and is not there', async (...argv) => {
  const { code, stdout, stderr } = await cli([...argv.filter(Boolean), '--queue', `sqlite:${folder}/typo/no.db`]);

  expect([code, stdout, stderr]).toEqual([
    3,
    '',
    expect.stringMatching(/^signalbox: cannot .*there is no queue .*\n$/),
  ]);
  expect(existsSync(join(folder, 'typo'))).toBe(false);
});

test.each(looking)('%s %s %s leaves an empty file empty', async (...argv) => {
  const path = join(folder, 'empty.db');
  writeFileSync(path, '');

  expect((await cli([...argv.filter(Boolean), '--queue', `sqlite:${path}`])).code).toBe(3);

  expect(statSync(path).size).toBe(0);
});

test.each([
  ['sqlite:~/x.db', /begins with "~".*write the folder out/],
  ['sqlite:~', /begins with "~"/],
  ['sqlite:a.db#frag', /no part after a "#".*%23/],
  ['sqlite:a.db?leaseMs=5#frag', /no part after a "#"/],
])('%s is refused', async (url, why) => {
  const { code, stderr } = await cli(['topics', '--queue', url]);

  expect([code, stderr]).toEqual([2, expect.stringMatching(why)]);
});

test('where there is no store of builds, the remedy is where else they may be', async () => {
  const env = { QUEUE_URL: 'amqp://nowhere.invalid' };

  expect((await cli(['builds'], { env })).stderr).toMatch(
    /^no builds: there is no .signalbox\/builds.db in this folder; STORE_URL or --store says where else builds are kept\n$/,
  );
  expect((await cli(['builds', 'show', 'x'], { env })).stderr).toMatch(/STORE_URL or --store says/);
});

test.each([
  ['SIGNALBOX_CONCURENCY', 'SIGNALBOX_CONCURRENCY'],
  ['SIGNALBOX_POLL_MS', 'SIGNALBOX_POLL_ACCEPTED_MS or SIGNALBOX_POLL_RUNNING_MS'],
])('%s is not read, and said to be none', async (name, meant) => {
  const { code, stderr } = await cli(['config'], { env: { [name]: '3' } });

  expect(code).toBe(0);
  expect(stderr).toContain(
    `signalbox: warning: the variable ${name} is none of ours, and not read; is ${meant} meant?\n`,
  );
});

test('variables of others with our prefix, and our own, are no matter', async () => {
  const env = { SIGNALBOX_TEST_SERVERS: 'x', SIGNALBOX_RUNNER: 'noop', SIGNALBOX: '1' };

  expect((await cli(['config'], { env })).stderr).not.toContain('warning');
});
