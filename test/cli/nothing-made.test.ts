// Commands that only look, where there is nothing to see; and what is a slip of the hand in how they are told where to look.
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { describeServers } from '../servers/index.js';
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

await describeServers(['mariadb', 'mysql'], (_name, server) => {
  test.each(looking)('%s %s %s makes no tables in a database that has none', async (...argv) => {
    const url = await server().freshUrl();

    const { code, stdout, stderr } = await cli([...argv.filter(Boolean), '--queue', url]);

    expect([code, stdout, stderr]).toEqual([
      3,
      '',
      expect.stringMatching(/^signalbox: cannot .*there is no queue .*\n$/),
    ]);
    const connection = await createConnection({ uri: url });
    expect((await connection.query('show tables'))[0]).toEqual([]);
    await connection.end();
  });
});

test.each(looking)('%s %s %s leaves an empty file empty', async (...argv) => {
  const path = join(folder, 'empty.db');
  writeFileSync(path, '');

  expect((await cli([...argv.filter(Boolean), '--queue', `sqlite:${path}`])).code).toBe(3);

  expect(statSync(path).size).toBe(0);
});

test.each(looking)(
  '%s %s %s does not take a file that it may not look at for one that is not there',
  async (...argv) => {
    const path = join(folder, 'loop.db');
    symlinkSync(path, path);

    const { code, stdout, stderr } = await cli([...argv.filter(Boolean), '--queue', `sqlite:${path}`]);

    expect([code, stdout, stderr]).toEqual([
      4,
      '',
      expect.stringMatching(/^signalbox: cannot .*cannot be opened.*ELOOP.*\n$/),
    ]);
  },
);

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
  ['SIGNALBOX_QUEUE_URL', 'QUEUE_URL'],
  ['SIGNALBOX_STORE', 'STORE_URL'],
  ['SIGNALBOX_LOG_LEVEL', 'LOG_LEVEL'],
  ['SIGNALBOX_CONFIG', 'CONFIG_PATH'],
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
