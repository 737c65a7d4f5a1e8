// The built program on a database: what several processes do together, and what one leaves behind that is killed.
import { beforeEach, expect, test } from 'vitest';
import { type Build, maxPageSize } from '../../src/orchestrator/index.js';
import { mysqlBuildStore } from '../../src/orchestrator/mysql/index.js';
import { describeServers } from '../servers/index.js';
import { builtPrograms, main } from './built-program.js';

const start = builtPrograms();
/** Processes start in a second or so; on a machine that is busy with everything else, in ten. */
const deadlineMs = 60_000;

await describeServers(['mariadb', 'mysql'], (_name, server) => {
  let url: string;
  beforeEach(async () => {
    url = await server().freshUrl();
  });
  const signalbox = (command: string, ...flags: readonly string[]) => start(main, command, '--queue', url, ...flags);

  test('of processes that migrate at once, one runs each step, and all say it is done', async () => {
    const runs = await Promise.all(Array.from({ length: 4 }, () => signalbox('migrate', '--json').ended));

    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    // Whoever waits long for the one that migrates says so.
    for (const { stderr } of runs) expect(stderr).toMatch(/^(migrating after [\d.]+ s\n)*$/);
    const ran = runs.flatMap(({ stdout }) => (JSON.parse(stdout) as Migrated).schemas.flatMap((schema) => schema.ran));
    expect(ran.sort()).toEqual(['0001-builds', '0001-tables', '0002-pauses']);
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
      .poll(() => buildOf(requestId), { timeout: deadlineMs / 2 })
      .toMatchObject({ status: 'succeeded', announced: true, polls: 1 });
    orchestrator.child.kill('SIGTERM');
    const { code, stderr } = await orchestrator.ended;
    expect(code).toBe(0);
    expect(lastLine(stderr)).toMatchObject({ msg: 'stopped', inHand: 0 });
  });

  test('after a kill -9 the next orchestrator finishes the builds of the one before', {
    timeout: deadlineMs,
  }, async () => {
    const killed = signalbox('orchestrate', '--jobs', 'examples/jobs.jsonl', '--poll-accepted-ms', '5000');
    await killed.told('the job requests of the file are on the queue');
    await expect
      .poll(async () => (await builds()).filter(({ status }) => status === 'accepted').length, {
        timeout: deadlineMs / 2,
      })
      .toBeGreaterThan(9);
    killed.child.kill('SIGKILL');
    expect((await killed.ended).signal).toBe('SIGKILL');
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

  test('an orchestrator may not start on a schema that is not there, where it must not make it', async () => {
    const { code, stderr } = await start(main, 'orchestrate', '--queue', `${url}?createTables=false`).ended;

    expect(code).toBe(4);
    expect(stderr).toMatch(/is not there; run "signalbox migrate --queue URL" with an account that may create/);
  });

  async function buildOf(requestId: string): Promise<Build | undefined> {
    return (await builds()).find((build) => build.requestId === requestId);
  }

  /** What the orchestrators have stored. */
  async function builds(): Promise<readonly Build[]> {
    const store = await mysqlBuildStore({ url });
    const { builds } = await store.list({ limit: maxPageSize, cursor: null });
    await store.close();
    return builds;
  }
});

const repoUrl = 'https://git.example.org/tern/compass.git';

interface Migrated {
  readonly schemas: readonly { readonly ran: readonly string[] }[];
}

function lastLine(stderr: string): unknown {
  return JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '');
}
