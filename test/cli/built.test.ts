import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';

// The built program in processes of its own: signals, pipes and exit codes as a shell sees them.
const root = fileURLToPath(new URL('../..', import.meta.url));
const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const stuck = fileURLToPath(new URL('stuck-orchestrator.mjs', import.meta.url));

/** Nothing, or what is told every two seconds where a machine is that slow. */
const progressAlone = /^(\d+ of 44 done after .*\n)*$/;

const { NO_COLOR: _, QUEUE_URL: __, ...env } = process.env;
const children = new Set<ChildProcess>();

beforeAll(() => {
  if (!existsSync(main)) throw new Error('there is no dist; run "npm run build", or the tests by "npm test"');
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
});

function start(program: string, ...argv: readonly string[]) {
  const child = spawn(process.execPath, [program, ...argv], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  const out = { stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      out[name] += text;
      for (const listen of listeners) listen();
    });
  }
  const ended = new Promise<{ code: number | null; signal: string | null; stdout: string; stderr: string }>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal, ...out })),
  );
  /** Resolves once stderr has the text; rejects when the process ended without. */
  const told = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const listen = () => {
        if (!out.stderr.includes(text)) return;
        listeners.delete(listen);
        resolve();
      };
      listeners.add(listen);
      void ended.then(({ stderr }) => reject(new Error(`ended without saying "${text}": ${stderr}`)));
      listen();
    });
  return { child, ended, told };
}

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
      stuck,
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

  test('is quiet when its reader goes away', async () => {
    const { child, ended } = start(main, 'demo', '--runner', 'noop', '--json');
    child.stdout.destroy();

    const { code, signal, stderr } = await ended;
    expect({ code, signal }).toEqual({ code: 0, signal: null });
    expect(stderr).toMatch(progressAlone);
  });
});
