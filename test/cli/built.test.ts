import { type StdioOptions, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { TemporaryFolder } from '../sqlite/temporary-folder.js';
import { builtPrograms, main } from './built-program.js';

// The built program in processes of its own: signals, pipes and exit codes as a shell sees them.
const start = builtPrograms();
const slow = fileURLToPath(new URL('slow-orchestrator.mjs', import.meta.url));

/** Nothing, or what is told every two seconds where a machine is that slow. */
const progressAlone = /^(\d+ of 44 done after .*\n)*$/;

describe('the built program', () => {
  test('runs the demonstration to its end and leaves nothing that keeps the process alive', async () => {
    const { code, stdout, stderr } = await start(main, 'demo', '--runner', 'noop').ended;

    expect(code).toBe(0);
    expect(stdout).toMatch(/\n42 builds in .*: 42 succeeded, 0 failed, 0 cancelled; 42 polls; 2 dead letters\n$/);
    expect(stderr).toMatch(progressAlone);
  });

  test('answers bad input with exit code 2', async () => {
    const { code, stdout, stderr } = await start(main, 'demo', '--jbos', 'x').ended;

    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(
      /^signalbox: cannot run "signalbox demo": unknown option '--jbos' \(Did you mean --jobs\?\)/,
    );
  });

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'orchestrate exits with 0 and nothing in hand on %s, with builds under way',
    async (signal) => {
      const { child, ended, told } = start(
        main,
        ...[
          'orchestrate',
          '--queue',
          'memory:',
          '--jobs',
          'examples/jobs.jsonl',
          '--runner',
          'scripted',
          '--poll-accepted-ms',
          '50',
          '--json',
        ],
      );
      await told('the job requests of the file are on the queue');

      child.kill(signal);

      const { code, stdout, stderr } = await ended;
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ inHand: 0 });
      expect(JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({ msg: 'stopped', inHand: 0 });
    },
  );

  test('a second signal ends an orchestrator at once whose handlers do not', async () => {
    const { child, ended, told } = start(
      slow,
      'never',
      'orchestrate',
      '--queue',
      'memory:stuck',
      '--jobs',
      'examples/jobs.jsonl',
    );
    await told('the job requests of the file are on the queue');
    child.kill('SIGTERM');
    await told('asked to stop');

    child.kill('SIGTERM');

    const { code, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toContain('signalbox: SIGTERM again: ending at once; what is in hand comes again\n');
    expect(stderr).not.toContain('"msg":"stopped"');
  });

  const full = existsSync('/dev/full');
  (full ? test : test.skip)(
    `says in one line that its output cannot be written, and does without a log that cannot${full ? '' : ': needs /dev/full'}`,
    () => {
      const device = openSync('/dev/full', 'w');
      const run = (stdio: StdioOptions, ...argv: readonly string[]) =>
        spawnSync(process.execPath, [main, ...argv], { stdio, encoding: 'utf8' });

      const result = run(['ignore', device, 'pipe'], 'config', '--json');
      using folder = new TemporaryFolder();
      const queue = `sqlite:${folder.file}`;
      const log = run(['ignore', 'pipe', device], 'orchestrate', '--queue', queue, '--until-idle', '--json');
      closeSync(device);

      expect([result.status, result.stderr]).toEqual([
        1,
        expect.stringMatching(/^signalbox: cannot write to stdout: ENOSPC[^\n]*\n$/),
      ]);
      expect([log.status, JSON.parse(log.stdout)]).toEqual([0, expect.objectContaining({ builds: [] })]);
    },
  );

  test('is quiet when its reader goes away', async () => {
    const { child, ended } = start(main, 'demo', '--runner', 'noop', '--json');
    child.stdout.destroy();

    const { code, signal, stderr } = await ended;
    expect({ code, signal }).toEqual({ code: 0, signal: null });
    expect(stderr).toMatch(progressAlone);
  });
});
