// How an orchestrator ends that a service manager or a person stops: real processes, real signals, on every backend that outlives them.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { describeServers } from '../servers/index.js';
import { builtPrograms, main } from './built-program.js';

const start = builtPrograms();
const slow = fileURLToPath(new URL('slow-orchestrator.mjs', import.meta.url));
/** A lease of MySQL's runs for 30 s after a process was killed, and processes start in ten where the machine is busy. */
const deadlineMs = 150_000;
const jobs = ['--jobs', 'examples/jobs.jsonl', '--poll-accepted-ms', '100'];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'signalbox-stop-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('on sqlite', () => {
  stops(() => [`sqlite:${join(folder, 'queue.db')}`, `sqlite:${join(folder, 'queue.db')}`]);

  test('a signal is heeded while there is work that comes one after another', { timeout: deadlineMs }, async () => {
    const [line = ''] = readFileSync('examples/jobs.jsonl', 'utf8').split('\n');
    const request = JSON.parse(line) as object;
    const many = Array.from({ length: 1_000 }, () => JSON.stringify({ ...request, request_id: randomUUID() }));
    const file = join(folder, 'many.jsonl');
    writeFileSync(file, `${many.join('\n')}\n`);
    const queue = `sqlite:${join(folder, 'queue.db')}`;
    const { child, ended, told } = start(main, 'orchestrate', '--queue', queue, '--jobs', file, '--json');
    await told('the job requests of the file are on the queue');

    child.kill('SIGTERM');

    const { code, stdout } = await ended;
    expect(code).toBe(0);
    const { inHand, summary } = JSON.parse(stdout) as Outcome;
    expect(inHand).toBe(0);
    expect(summary.builds).toBeLessThan(1_000);
  });
});

await describeServers(['mariadb', 'mysql'], (_, server) => {
  let url: string;
  beforeEach(async () => {
    url = await server().freshUrl();
  });
  stops(() => [url, url]);
});

await describeServers(['rabbitmq'], (_, server) => {
  let url: string;
  beforeEach(async () => {
    url = await server().freshUrl();
  });
  stops(() => [url, `sqlite:${join(folder, 'builds.db')}`]);
});

interface Outcome {
  readonly inHand: number | null;
  readonly summary: { readonly builds: number; readonly succeeded: number };
}

/** `place` answers the URLs of the queue and of the builds. */
function stops(place: () => readonly [queue: string, store: string]): void {
  const orchestrate = (...flags: readonly string[]) => {
    const [queue, store] = place();
    return ['orchestrate', '--queue', queue, '--store', store, '--json', ...flags];
  };

  /** What the next one finds: whatever was stopped, all requests have to end as builds. */
  async function expectNothingLost(): Promise<void> {
    const next = await start(main, ...orchestrate('--until-idle', '--poll-accepted-ms', '100')).ended;
    expect(next.code).toBe(0);
    const [queue, store] = place();
    const listed = await start(main, 'builds', '--queue', queue, '--store', store, '--json').ended;
    const { builds } = JSON.parse(listed.stdout) as { builds: readonly { status: string }[] };
    expect(builds.map(({ status }) => status)).toEqual(Array(42).fill('succeeded'));
  }

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'on %s handlers finish, nothing new is taken, and it exits with 0 and nothing in hand',
    { timeout: deadlineMs },
    async (signal) => {
      const { child, ended, told } = start(slow, '1000', ...orchestrate(...jobs));
      await told('settling');

      child.kill(signal);

      const { code, stdout, stderr } = await ended;
      expect(code).toBe(0);
      // What RabbitMQ holds for a consumer it does not say; that connection is closed, so it holds nothing.
      expect((JSON.parse(stdout) as Outcome).inHand ?? 0).toBe(0);
      expect(JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({ msg: 'stopped' });
      expect(stderr).toContain(`"signal":"${signal}"`);
      await expectNothingLost();
    },
  );

  test('what does not finish within --stop-within-ms is not waited for, and comes again', {
    timeout: deadlineMs,
  }, async () => {
    const { child, ended, told } = start(slow, 'never', ...orchestrate(...jobs, '--stop-within-ms', '500'));
    await told('settling');

    child.kill('SIGTERM');

    expect((await ended).code).toBe(0);
    await expectNothingLost();
  });

  test('a second signal ends it at once with 1, and what was in hand comes again', {
    timeout: deadlineMs,
  }, async () => {
    const { child, ended, told } = start(slow, 'never', ...orchestrate(...jobs));
    await told('settling');
    child.kill('SIGTERM');
    await told('asked to stop');

    child.kill('SIGINT');

    const { code, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toContain('signalbox: SIGINT again: ending at once; what is in hand comes again\n');
    await expectNothingLost();
  });
}
