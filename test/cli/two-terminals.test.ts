// The built program as somebody uses it who has installed nothing: two terminals in one folder, the default queue in a file there.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { builtPrograms, main } from './built-program.js';

const start = builtPrograms();
/** Processes start in a second or so; on a machine that is busy with everything else, in ten. */
const deadlineMs = 90_000;
const repoUrl = 'https://ci:s3cret@git.example.org/tern/compass.git';
const enqueue = ['enqueue', '--repo-url', repoUrl, '--commit-sha', 'c1aecb3'];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'signalbox-terminals-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const signalbox = (...argv: readonly string[]) => start.in(folder, main, ...argv);

/** The document that a command prints, which has to end well. */
async function json<T>(...argv: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await signalbox(...argv, '--json').ended;
  expect({ argv, code, stderr }).toEqual({ argv, code: 0, stderr: '' });
  return JSON.parse(stdout) as T;
}

async function text(...argv: readonly string[]): Promise<string> {
  const { code, stdout } = await signalbox(...argv).ended;
  expect({ argv, code }).toEqual({ argv, code: 0 });
  return stdout;
}

interface BuildDocument {
  readonly requestId: string;
  readonly status: string;
  readonly history: readonly { readonly at: string; readonly what: string }[];
  readonly cancelReason: string | null;
}
interface Depth {
  readonly topic: string;
  readonly group: string;
  readonly ready: number;
  readonly delayed: number;
  readonly dead: number;
}

const buildOf = async (id: string) => (await json<{ build: BuildDocument }>('builds', 'show', id)).build;

describe('with nothing installed and nothing said', { timeout: deadlineMs }, () => {
  test('what one terminal enqueues the other builds, and both see what there is', async () => {
    const orchestrator = signalbox('orchestrate', '--poll-accepted-ms', '50');
    await orchestrator.told('serving job requests');

    const id = (await text(...enqueue)).trim();
    await expect.poll(async () => (await buildOf(id)).status, { timeout: deadlineMs / 2 }).toBe('succeeded');

    const { builds, next } = await json<{ builds: readonly BuildDocument[]; next: null }>('builds');
    expect({ ids: builds.map(({ requestId }) => requestId), next }).toEqual({ ids: [id], next: null });
    expect(await text('builds', '--state', 'succeeded')).toMatch(
      new RegExp(`\n${id} +git\\.example\\.org/tern/compass +c1aecb3 `),
    );
    expect((await json<{ builds: unknown[] }>('builds', '--state', 'failed', '--state', 'running')).builds).toEqual([]);
    const shown = await text('builds', 'show', id);
    expect(shown).toMatch(/\nHistory\n\S+Z +requested\n\S+Z +taken by the runner as noop-\S+\n\S+Z +succeeded\n/);
    expect(shown).not.toContain('s3cret');
    const { topics } = await json<{ topics: readonly Depth[] }>('topics');
    expect(topics.map(({ topic }) => topic)).toEqual([
      'build.dead',
      'build.finished',
      'build.requested',
      'build.signal',
      'jobs',
    ]);

    orchestrator.child.kill('SIGTERM');
    expect(await orchestrator.ended).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/"inHand":0.*"msg":"stopped"/),
    });
  });

  test.each([
    ['builds', 0],
    ['topics', 0],
    ['builds show x', 3],
    ['builds cancel x', 3],
    ['dead-letters list jobs', 3],
    ['pause jobs', 3],
    ['tail jobs', 3],
    ['topology', 3],
  ])('in a folder where nothing has been sent %s says so, and makes no file', async (command, exitCode) => {
    const { code, stdout, stderr } = await signalbox(...command.split(' ')).ended;

    expect({ code, stdout }).toEqual({ code: exitCode, stdout: '' });
    expect(stderr).toMatch(/there is no \.signalbox\/queue\.db in this folder|no build|none has this request id/);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a request that no orchestrator has taken yet is no build, and the error says where it is', async () => {
    const id = (await text(...enqueue)).trim();

    for (const command of ['show', 'cancel']) {
      const { code, stderr } = await signalbox('builds', command, id).ended;
      expect({ code, stderr }).toEqual({
        code: 3,
        stderr: expect.stringMatching(
          /when an orchestrator takes it: until then "signalbox topics" counts it as ready in "jobs"\n$/,
        ),
      });
    }
  });

  test('an orchestrator whose topic is paused says what it waits for, and goes on when that flows', async () => {
    await text(...enqueue);
    await text('pause', 'jobs');

    const orchestrator = signalbox('orchestrate', '--until-idle', '--poll-accepted-ms', '50', '--json');
    await orchestrator.told(
      '"paused":["jobs"],"msg":"paused: what waits in these topics is not worked on, and --until-idle waits until it is; \\"signalbox resume TOPIC\\"',
    );
    await text('resume', 'jobs');

    const { code, stdout } = await orchestrator.ended;
    expect({ code, summary: JSON.parse(stdout).summary }).toMatchObject({ code: 0, summary: { succeeded: 1 } });
  });

  test('an orchestrator warns of builds that the scripted runner of another process has begun', async () => {
    const slow = ['--runner', 'scripted', '--poll-accepted-ms', '60000', '--poll-running-ms', '60000'];
    const first = signalbox('orchestrate', ...slow);
    const id = (await text(...enqueue)).trim();
    await expect
      .poll(async () => (await json<{ builds: unknown[] }>('builds', '--state', 'accepted')).builds.length, {
        timeout: deadlineMs / 2,
      })
      .toBe(1);

    const second = signalbox('orchestrate', ...slow);
    await second.told('builds are under way that another process has begun');
    for (const { child } of [first, second]) child.kill('SIGTERM');

    expect((await second.ended).stderr).toContain(`"first":"${id}"`);
    expect((await first.ended).stderr).not.toContain('another process');
  });

  test('the file lies in a folder that keeps itself out of a repository', async () => {
    await text(...enqueue);

    expect(existsSync(join(folder, '.signalbox', 'queue.db'))).toBe(true);
    expect(readFileSync(join(folder, '.signalbox', '.gitignore'), 'utf8')).toBe('*\n');
  });

  test('a build that is to be cancelled is cancelled by the orchestrator that runs', async () => {
    const first = signalbox(
      'orchestrate',
      '--runner',
      'scripted',
      '--poll-accepted-ms',
      '200',
      '--poll-running-ms',
      '2000',
    );
    await first.told('serving job requests');
    const endless = 'https://git.example.org/northbank/endless-soak.git';
    const id = (await text('enqueue', '--repo-url', endless, '--commit-sha', 'c1aecb3')).trim();
    await expect.poll(async () => (await buildOf(id)).status, { timeout: deadlineMs / 3 }).toBe('running');

    expect(await text('builds', 'cancel', id, '--reason', 'superseded')).toBe(
      `asked to cancel ${id}, which is running\n`,
    );

    await expect.poll(async () => (await buildOf(id)).status, { timeout: deadlineMs / 3 }).toBe('cancelled');
    const { history, cancelReason } = await buildOf(id);
    expect(cancelReason).toBe('superseded');
    expect(history.map(({ what }) => what)).toEqual(
      expect.arrayContaining(['cancel requested: superseded', 'cancel taken by the runner']),
    );
    const again = await signalbox('builds', 'cancel', id).ended;
    expect(again).toMatchObject({ code: 0, stdout: '', stderr: `nothing to cancel: ${id} has been cancelled\n` });
  });

  test('a build that nobody knows is exit code 3', async () => {
    for (const verb of ['show', 'cancel']) {
      const { code, stderr } = await signalbox('builds', verb, 'c6a93abd-2713-4d12-b76b-f6771968702f').ended;

      expect(stderr).toMatch(/^signalbox: cannot (show|cancel) build "c6a93abd-.*\n$/);
      expect(code).toBe(3);
    }
  });

  test('a group that one terminal pauses is served again when another one resumes it', async () => {
    const orchestrator = signalbox('orchestrate', '--poll-accepted-ms', '50');
    await orchestrator.told('serving job requests');

    expect(await json('pause', 'jobs')).toEqual({ topic: 'jobs', group: 'default', paused: true });
    const id = (await text(...enqueue)).trim();
    const jobsOf = async () =>
      (await json<{ topics: readonly Depth[] }>('topics')).topics.find(({ topic }) => topic === 'jobs');
    expect(await jobsOf()).toMatchObject({ ready: 1 });
    expect((await signalbox('builds', 'show', id).ended).code).toBe(3);

    expect(await json('resume', 'jobs')).toEqual({ topic: 'jobs', group: 'default', paused: false });
    await expect
      .poll(async () => (await signalbox('builds', 'show', id).ended).code, { timeout: deadlineMs / 3 })
      .toBe(0);
    await expect.poll(async () => (await buildOf(id)).status, { timeout: deadlineMs / 3 }).toBe('succeeded');
  });

  test('migrate makes the tables of the default file, and says so the next time', async () => {
    const schemas = async (...flags: readonly string[]) =>
      (await json<{ schemas: readonly { list: string; state: string; ran: readonly string[] }[] }>('migrate', ...flags))
        .schemas;

    const first = await schemas();
    const second = await schemas();

    expect(first.map(({ list, state }) => ({ list, state }))).toEqual([
      { list: 'queue', state: 'current' },
      { list: 'builds', state: 'current' },
    ]);
    expect(first.flatMap(({ ran }) => ran).length).toBeGreaterThan(1);
    expect(second.flatMap(({ ran }) => ran)).toEqual([]);
    expect(await schemas('--status')).toHaveLength(2);
  });

  test('a file of settings in the folder is what every command goes by', async () => {
    writeFileSync(join(folder, 'signalbox.config.json'), JSON.stringify({ queue: 'sqlite:elsewhere.db' }));

    await text(...enqueue);

    const { settings } = await json<{ settings: readonly { setting: string; value: string; source: string }[] }>(
      'config',
    );
    expect(settings.slice(0, 2)).toEqual([
      expect.objectContaining({ setting: 'queue', value: 'sqlite:elsewhere.db', source: 'signalbox.config.json' }),
      expect.objectContaining({ setting: 'store', value: 'sqlite:elsewhere.db' }),
    ]);
    expect(existsSync(join(folder, 'elsewhere.db'))).toBe(true);
    expect(existsSync(join(folder, '.signalbox'))).toBe(false);
  });

  test('the conformance suite finds what the file keeps of its promises', async () => {
    const argv = ['conformance', 'sqlite:suite.db', '--only', 'a-star-is-one-word-and-a-hash-any-number', '--json'];
    const { code, stdout } = await signalbox(...argv).ended;

    expect(code).toBe(0);
    const { backend, promises } = JSON.parse(stdout) as { backend: string; promises: readonly { verdict: string }[] };
    expect(backend).toBe('sqlite');
    expect(promises.filter(({ verdict }) => verdict === 'kept').length).toBeGreaterThan(0);
  });

  test('dead letters are listed, shown, redriven and purged by another process than the one that gave up', async () => {
    const orchestrate = [
      'orchestrate',
      '--jobs',
      join(import.meta.dirname, '../../examples/jobs.jsonl'),
      '--until-idle',
    ];
    await text(...orchestrate, '--poll-accepted-ms', '20', '--log-level', 'silent');

    type Listed = { readonly builds: readonly BuildDocument[] };
    const all = (await json<Listed>('builds', '--state', 'succeeded')).builds;
    expect(all).toHaveLength(42);
    expect((await json<Listed>('builds', '--newest', '--limit', '3')).builds).toEqual(all.slice(-3));

    const list = () => json<{ letters: readonly { id: string }[] }>('dead-letters', 'list', 'jobs');
    expect((await list()).letters.map(({ id }) => id)).toEqual(['jobs.jsonl:13', 'jobs.jsonl:31']);
    expect(await text('dead-letters', 'show', 'jobs', 'jobs.jsonl:13')).toMatch(/\ncause +undecodable\n/);
    expect(await json('dead-letters', 'redrive', 'jobs', 'jobs.jsonl:13')).toEqual({ redriven: 1 });
    expect((await list()).letters.map(({ id }) => id)).toEqual(['jobs.jsonl:31']);
    expect(await json('dead-letters', 'purge', 'jobs', '--all', '--yes')).toEqual({ purged: 1 });
    const { topics } = await json<{ topics: readonly Depth[] }>('topics');
    expect(topics.find(({ topic }) => topic === 'jobs')).toMatchObject({ ready: 1, dead: 0 });
  });
});

describe('tail', { timeout: deadlineMs }, () => {
  const groups = async () =>
    (await json<{ topics: readonly Depth[] }>('topics')).topics
      .filter(({ topic }) => topic === 'jobs')
      .map(({ group }) => group);

  beforeEach(async () => {
    await text(...enqueue);
  });

  test('shows what is published, takes it from nobody, and leaves no group behind', async () => {
    const tail = signalbox('tail', 'jobs', '--json', '--limit', '2');
    await tail.told('from now on');
    expect((await groups()).filter((name) => name.startsWith('tail-'))).toHaveLength(1);

    const ids = [(await text(...enqueue)).trim(), (await text(...enqueue)).trim()];

    const { code, stdout } = await tail.ended;
    expect(code).toBe(0);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);
    expect(lines).toEqual(
      ids.map((id) => ({
        ...{ id, topic: 'jobs', key: id, routingKey: 'jobrequest.v1', headers: {} },
        publishedAt: expect.stringMatching(/^\d{4}-.*Z$/),
        bodyText: expect.stringContaining(`"request_id":"${id}"`),
      })),
    );
    const { topics } = await json<{ topics: readonly Depth[] }>('topics');
    expect(topics.filter(({ topic }) => topic === 'jobs')).toEqual([
      expect.objectContaining({ group: 'default', ready: 3 }),
    ]);
  });

  test('shows only what fits a pattern, and ends well on SIGINT', async () => {
    const none = signalbox('tail', 'jobs', '--pattern', 'jobrequest.v2', '--pattern', 'other.#');
    const all = signalbox('tail', 'jobs', '--group', 'default');
    await Promise.all([none.told('from now on'), all.told('from now on')]);

    const id = (await text(...enqueue)).trim();
    await all.printed(id);
    for (const { child } of [none, all]) child.kill('SIGINT');

    expect(await none.ended).toMatchObject({ code: 0, stdout: '' });
    const { code, stdout } = await all.ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^\\d{4}-\\S+Z  ${id}  jobrequest\\.v1  ${id}  \\{.*\\}\n$`));
    expect(await groups()).toEqual(['default']);
  });

  test('what a killed one left behind the next one takes away, and so does an orchestrator', async () => {
    for (const tidy of [
      ['tail', 'build.signal', '--limit', '1'],
      ['orchestrate', '--until-idle'],
    ]) {
      const killed = signalbox('tail', 'jobs');
      await killed.told('from now on');
      killed.child.kill('SIGKILL');
      await killed.ended;
      expect(await groups()).toHaveLength(2);

      const next = signalbox(...tidy);
      await expect.poll(groups, { timeout: deadlineMs / 3 }).toEqual(['default']);
      next.child.kill('SIGTERM');
      expect((await next.ended).code).toBe(0);
    }
  });

  test('of a topic or group that is not there is exit code 3', async () => {
    expect(await signalbox('tail', 'jbos').ended).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/there is no such topic/),
    });
    expect(await signalbox('tail', 'jobs', '--group', 'x').ended).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/it has no group "x"/),
    });
  });

  test('ends, and removes its group, when its reader has gone', async () => {
    await text(...enqueue);
    const tail = signalbox('tail', 'jobs');
    await tail.told('from now on');

    tail.child.stdout.destroy();
    await text(...enqueue);

    expect(await tail.ended).toMatchObject({ code: 0, signal: null, stderr: expect.not.stringContaining('EPIPE') });
    expect((await groups()).filter((name) => name.startsWith('tail-'))).toEqual([]);
  });
});
