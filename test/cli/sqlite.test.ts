// The built program on a file: what several processes do together, and what one leaves behind that is killed.
import { existsSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { type Build, maxPageSize } from '../../src/orchestrator/index.js';
import { sqliteBuildStore } from '../../src/orchestrator/sqlite/index.js';
import { integrityOf } from '../sqlite/integrity.js';
import { TemporaryFolder } from '../sqlite/temporary-folder.js';
import { builtPrograms, main } from './built-program.js';
import { cli } from './world.js';

const start = builtPrograms();
/** Processes start in a second or so; on a machine that is busy with everything else, in ten. */
const deadlineMs = 60_000;

let folder: TemporaryFolder;
let url: string;
beforeEach(() => {
  folder = new TemporaryFolder();
  url = `sqlite:${folder.file}`;
});
afterEach(() => folder[Symbol.dispose]());
const signalbox = (command: string, ...flags: readonly string[]) => start(main, command, '--queue', url, ...flags);

test('migrate makes the tables of the queue and of the builds; --status changes nothing, not even the file', async () => {
  const migrate = (...flags: readonly string[]) => cli(['migrate', '--queue', url, ...flags]);

  const before = await migrate('--status');
  expect(before.code).toBe(exitCodes.backend);
  expect(before.stderr).toMatch(/the schema of the queue \(tables signalbox_…\) is not there; run "signalbox migrate/);
  expect(existsSync(folder.file)).toBe(false);

  const rows = rowsOf((await migrate()).stdout).slice(1);
  expect(rows).toEqual(
    expect.arrayContaining([
      ['queue', '0001-tables', 'applied now'],
      ['builds', '0001-builds', 'applied now'],
    ]),
  );
  expect(rows.filter(([, , state]) => state !== 'applied now')).toEqual([]);
  expect(await migrate('--status')).toMatchObject({ code: exitCodes.ok, stderr: '' });
});

test.each([['--status'], []])('migrate %s of what is no database names the file', async (...flags) => {
  writeFileSync(folder.file, 'no database at all, but long enough to be looked at as if it were one: '.repeat(20));

  const { code, stderr } = await cli(['migrate', '--queue', url, ...flags]);

  expect(code).not.toBe(0);
  expect(stderr).toContain(`the file is no SQLite database (${folder.file}); give another path`);
});

test('of processes that migrate at once, one runs each step, and all say it is done', {
  timeout: deadlineMs,
}, async () => {
  const runs = await Promise.all(Array.from({ length: 4 }, () => signalbox('migrate', '--json').ended));

  expect(runs.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  for (const { stderr } of runs) expect(stderr).toMatch(/^(migrating after [\d.]+ s\n)*$/);
  const ran = runs.flatMap(({ stdout }) => (JSON.parse(stdout) as Migrated).schemas.flatMap((schema) => schema.ran));
  expect(ran).toEqual(expect.arrayContaining(['0001-builds', '0001-tables']));
  expect(new Set(ran).size).toBe(ran.length);
});

test('what one process enqueues another builds to its end, and a SIGTERM leaves nothing in hand', {
  timeout: deadlineMs,
}, async () => {
  const orchestrator = signalbox('orchestrate', '--poll-accepted-ms', '100');
  await orchestrator.told('serving job requests');

  const enqueued = await signalbox('enqueue', '--repo-url', repoUrl, '--commit-sha', 'c1aecb3').ended;
  expect(enqueued).toMatchObject({ code: 0, stderr: '' });
  const requestId = enqueued.stdout.trim();

  await expect
    .poll(async () => (await builds()).find((build) => build.requestId === requestId), { timeout: deadlineMs / 2 })
    .toMatchObject({ status: 'succeeded', announced: true, polls: 1 });
  orchestrator.child.kill('SIGTERM');
  const { code, stderr } = await orchestrator.ended;
  expect(code).toBe(0);
  expect(lastLine(stderr)).toMatchObject({ msg: 'stopped', inHand: 0 });
});

test('after kill -9s the next orchestrator finishes the builds of those before', {
  timeout: 2 * deadlineMs,
}, async () => {
  const first = signalbox('orchestrate', '--jobs', 'examples/jobs.jsonl', '--poll-accepted-ms', '2000');
  await first.told('the job requests of the file are on the queue');
  for (let kills = 0; kills < 3; kills++) {
    const killed = kills === 0 ? first : signalbox('orchestrate', '--poll-accepted-ms', '2000');
    const seen = (await builds()).filter(({ status }) => status === 'accepted').length;
    await expect
      .poll(async () => (await builds()).filter(({ status }) => status === 'accepted').length, {
        timeout: deadlineMs / 2,
      })
      .toBeGreaterThan(kills === 0 ? 9 : Math.min(seen, 9));
    killed.child.kill('SIGKILL');
    expect((await killed.ended).signal).toBe('SIGKILL');
    expect(integrityOf(folder.file)).toBe('ok');
  }
  const left = await builds();

  const next = await signalbox('orchestrate', '--until-idle', '--poll-accepted-ms', '100', '--json').ended;

  expect(left.filter(({ announced }) => !announced).length).toBeGreaterThan(0);
  expect(next.code).toBe(0);
  expect(JSON.parse(next.stdout)).toMatchObject({ inHand: 0 });
  const ended = await builds();
  expect(ended).toHaveLength(42);
  expect(ended.filter(({ status, announced }) => status !== 'succeeded' || !announced)).toEqual([]);
  for (const build of left) {
    expect(ended.find(({ requestId }) => requestId === build.requestId)?.createdAt).toBe(build.createdAt);
  }
});

/** What the orchestrators have stored. */
async function builds(): Promise<readonly Build[]> {
  const store = await sqliteBuildStore({ url });
  const { builds } = await store.list({ limit: maxPageSize, cursor: null });
  await store.close();
  return builds;
}

const repoUrl = 'https://git.example.org/tern/compass.git';

interface Migrated {
  readonly schemas: readonly { readonly ran: readonly string[] }[];
}

function lastLine(stderr: string): unknown {
  return JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '');
}

function rowsOf(stdout: string): readonly (readonly string[])[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));
}
