import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VirtualClock } from 'signalbox';
import { afterAll, describe, expect, test } from 'vitest';
import { cli, connectDurable, escapeSequence, newUrl, World } from './world.js';

const folder = mkdtempSync(join(tmpdir(), 'signalbox-demo-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const examples = readFileSync(new URL('../../examples/jobs.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n');
const quick = ['demo', '--queue', 'memory:', '--runner', 'noop', '--poll-accepted-ms', '1'];

interface Document {
  readonly jobs: unknown;
  readonly builds: readonly { readonly status: string; readonly reason: string | null; readonly polls: number }[];
  readonly deadLetters: readonly { readonly id: string; readonly reason: string }[];
  readonly summary: Record<string, number>;
}

function fileOf(...lines: readonly string[]): string {
  const path = join(folder, `${Math.random().toString(36).slice(2)}.jsonl`);
  writeFileSync(path, lines.join('\n'));
  return path;
}

/** A request that differs from all others by `n` alone. */
function request(n: number): string {
  const id = `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
  return JSON.stringify({ ...(JSON.parse(examples[0] as string) as object), request_id: id });
}

/** The demonstration as it is, on a clock that a test can hurry. */
async function demonstration(world: World, clock: VirtualClock, ...flags: readonly string[]): Promise<number> {
  let code: number | null = null;
  // SQLite has the machine's time; the memory queue keeps to the clock of whoever opens it.
  const running = world.run('demo', '--queue', 'memory:', ...flags).then((answer) => {
    code = answer;
  });
  // Reading the jobs is real I/O, which no virtual clock can see: it goes on until the command has ended.
  while (code === null) await clock.advance(100);
  await running;
  return code;
}

describe('the demonstration', () => {
  test('polls every build of the examples to its end, however it goes, in well under a minute', async () => {
    const clock = new VirtualClock();
    const world = new World({ clock });

    const code = await demonstration(world, clock, '--json');

    const { builds, deadLetters, jobs, summary } = world.json as Document;
    expect(code).toBe(0);
    expect(jobs).toEqual({ file: expect.stringMatching(/jobs\.jsonl$/), lines: 44, malformed: 2 });
    expect(builds).toHaveLength(42);
    expect(new Set(builds.map(({ status }) => status))).toEqual(new Set(['succeeded', 'failed', 'cancelled']));
    expect(builds.map(({ reason }) => reason)).toEqual(
      expect.arrayContaining([
        'timed out',
        'unknown to the runner',
        '2 of 318 tests failed',
        'the machine was taken back',
      ]),
    );
    expect(Math.min(...builds.map(({ polls }) => polls))).toBeGreaterThan(1);
    expect(deadLetters).toEqual([
      expect.objectContaining({
        id: 'jobs.jsonl:13',
        topic: 'jobs',
        cause: 'undecodable',
        reason: expect.stringMatching(/commit_sha/),
      }),
      expect.objectContaining({ id: 'jobs.jsonl:31', reason: expect.stringMatching(/source: must be "github"/) }),
    ]);
    expect(summary).toMatchObject({ builds: 42, unended: 0, deadLetters: 2, cancelled: 1 });
    expect(summary.seconds).toBeGreaterThan(14);
    expect(summary.seconds).toBeLessThan(20);
    expect(clock.pending).toBe(0);
  });

  test('prints a table of builds, the dead letters with their reasons, and a line that sums it up', async () => {
    const clock = new VirtualClock();
    const world = new World({ clock });

    await demonstration(world, clock);

    const lines = world.stdout.split('\n');
    expect(lines[0]?.split(/ {2,}/)).toEqual(['id', 'repository', 'commit', 'status', 'polls', 'seconds', 'reason']);
    expect(lines.filter((line) => / (succeeded|failed|cancelled) +\d+ +\d+\.\d\b/.test(line))).toHaveLength(42);
    expect(world.stdout).toMatch(/\n5d6efc96 .*endless-soak +f48ea5b4 +failed +\d+ +15\.\d +timed out\n/);
    expect(world.stdout).toMatch(
      /\nDead letters\nmessage .*\njobs.jsonl:13 .*commit_sha.*\njobs.jsonl:31 .*source.*\n/,
    );
    expect(lines.at(-2)).toMatch(
      /^42 builds in 1\d\.\d s: \d+ succeeded, \d+ failed, 1 cancelled; \d+ polls; 2 dead letters$/,
    );
    expect(world.stdout).not.toMatch(escapeSequence);
  });

  test('tells how far it is every two seconds when nobody draws on a terminal', async () => {
    const clock = new VirtualClock();
    const world = new World({ clock });

    await demonstration(world, clock);

    const lines = world.stderr.trimEnd().split('\n');
    expect(lines.length).toBeGreaterThanOrEqual(6);
    expect(lines.length).toBeLessThanOrEqual(10);
    for (const line of lines) expect(line).toMatch(/^\d+ of 44 done after \d+\.\d s: /);
    expect(world.stderr).not.toMatch(escapeSequence);
  });

  test('draws one line on a terminal that never wraps, and takes it away at the end', async () => {
    const clock = new VirtualClock();
    const world = new World({ clock, terminal: 60, env: { NO_COLOR: '1' } });

    await demonstration(world, clock);

    const erase = '\r\u001b[2K';
    const drawn = world.stderr.split(erase);
    expect(drawn.length).toBeGreaterThan(100);
    expect(drawn.at(-1)).toBe('');
    expect(Math.max(...drawn.map((line) => line.length))).toBeLessThan(60);
    expect(drawn.some((line) => /█+░+ \d+ of 44 done/.test(line))).toBe(true);
    expect(world.stderr.replaceAll(erase, '')).not.toMatch(escapeSequence);
  });

  test('has colours on a terminal', async () => {
    const { stdout, stderr } = await cli(quick, { terminal: 80 });

    expect(stdout).toMatch(escapeSequence);
    expect(stderr.replaceAll('\u001b[2K', '')).toMatch(escapeSequence);
  });
});

describe('a jobs file of one’s own', () => {
  test('may hold anything: what is no request becomes a dead letter', async () => {
    const jobs = fileOf(request(1), 'no JSON', '{"half', '[]', 'null', request(2), '"\udcff"');

    const { code, world } = await cli([...quick, '--json', '--jobs', jobs]);

    const { builds, deadLetters } = world.json as Document;
    expect(code).toBe(0);
    expect(builds).toHaveLength(2);
    expect(deadLetters.map(({ id }) => id.replace(/^.*:/, '')).sort()).toEqual(['2', '3', '4', '5', '7']);
    expect(deadLetters.map(({ reason }) => reason)).toEqual(
      expect.arrayContaining([expect.stringMatching(/not JSON/)]),
    );
  });

  test('that asks twice for the same is one build', async () => {
    const { code, world } = await cli([...quick, '--json', '--jobs', fileOf(request(1), request(1), request(1))]);

    expect(code).toBe(0);
    expect((world.json as Document).builds).toHaveLength(1);
  });

  test('of one request counts one build, one poll and one dead letter', async () => {
    const { stdout } = await cli([...quick, '--jobs', fileOf(request(1), 'x')]);

    expect(stdout).toMatch(/\n1 build in .*: 1 succeeded, 0 failed, 0 cancelled; 1 poll; 1 dead letter\n$/);
  });

  test('whose request ids begin alike shows as much of them as tells them apart', async () => {
    const { stdout } = await cli([...quick, '--jobs', fileOf(request(1), request(2), request(30))]);

    const ids = stdout
      .split('\n')
      .slice(1, 4)
      .map((line) => line.split(' ')[0]);
    expect(ids.toSorted()).toEqual([1, 2, 30].map((n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`));
    const other = request(3).replace('00000000-0000-4000-8000-0', '00000000-0001-4000-8000-0');
    const few = await cli([...quick, '--jobs', fileOf(request(1), other)]);
    expect(few.stdout).toMatch(/\n00000000-0000 /);
    expect(few.stdout).toMatch(/\n00000000-0001 /);
  });

  test('that has nothing but broken lines ends well', async () => {
    const { code, stdout } = await cli([...quick, '--jobs', fileOf('x', 'y')]);

    expect(code).toBe(0);
    expect(stdout).toMatch(/^Dead letters\n/);
    expect(stdout).toMatch(/\n0 builds in .*; 2 dead letters\n$/);
  });

  test('may be long', async () => {
    const lines = Array.from({ length: 3_000 }, (_, n) => request(n));

    const { code, world } = await cli([...quick, '--json', '--jobs', fileOf(...lines)]);

    expect(code).toBe(0);
    expect((world.json as Document).summary).toMatchObject({ builds: 3_000, succeeded: 3_000, deadLetters: 0 });
  });

  test('with a line that no message can hold is refused before anything is sent', async () => {
    const url = newUrl();

    const { code, stderr } = await cli([...quick, '--queue', url, '--jobs', fileOf(request(1), 'x'.repeat(1_048_577))]);

    expect(code).toBe(2);
    expect(stderr).toMatch(/jsonl:2 has 1048577 bytes and 1048576 are allowed; shorten that line, nothing was sent\n$/);
    expect((await cli(['topics', '--json', '--queue', url])).stdout).not.toMatch(/"ready": [^0]|"delayed": [^0]/);
  });

  test('does not show the tokens that some repositories are cloned with', async () => {
    const secret = request(1).replace('https://', 'https://ci:s3cret@');
    for (const flags of [[], ['--json']]) {
      const { stdout } = await cli([...quick, ...flags, '--jobs', fileOf(secret)]);

      expect(stdout).toMatch(/lanternworks\/keel/);
      expect(stdout).not.toContain('s3cret');
    }
  });
});

describe('the queue of the demonstration', () => {
  test('is a file of its own, whatever the environment says, and is removed at the end', async () => {
    const before = readdirSync(tmpdir());

    const { code, world } = await cli(['demo', '--runner', 'noop', '--poll-accepted-ms', '1', '--json'], {
      env: { QUEUE_URL: 'mysql://production', CONFIG_PATH: 'nowhere.json' },
    });

    expect(code).toBe(0);
    expect(world.json).toMatchObject({ backend: 'sqlite', summary: { builds: 42, succeeded: 42, deadLetters: 2 } });
    expect(
      readdirSync(tmpdir()).filter((name) => name.startsWith('signalbox-demo-') && !before.includes(name)),
    ).toEqual([]);
  });

  test('may be another, which then keeps the dead letters', async () => {
    const url = newUrl();

    expect((await cli([...quick, '--queue', url], { connect: connectDurable })).code).toBe(0);

    const { world } = await cli(['dead-letters', 'list', 'jobs', '--json', '--queue', url]);
    expect(world.json).toMatchObject({ letters: [{ id: 'jobs.jsonl:13' }, { id: 'jobs.jsonl:31' }] });
    const show = await cli(['dead-letters', 'show', 'jobs', 'jobs.jsonl:31', '--queue', url]);
    expect(show.stdout.trimEnd().endsWith(examples[30] as string)).toBe(true);
  });
});

describe('stopping the demonstration', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s prints what there is and answers %d', async (signal, expected) => {
    const clock = new VirtualClock();
    const world = new World({ clock });
    let code: number | null = null;
    const running = world.run('demo', '--queue', 'memory:').then((answer) => {
      code = answer;
    });
    while (!world.stderr.includes('running')) await clock.advance(100);

    world.signal(signal);
    while (code === null) await clock.advance(100);
    await running;

    expect(code).toBe(expected);
    expect(world.stdout).toMatch(/42 builds in .* \d+ not ended; /);
    expect(world.stderr).toContain(`signalbox: stopped by ${signal} before all builds had ended\n`);
    expect(world.listening).toBe(0);
    expect(clock.pending).toBe(0);
  });
});
