import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll } from 'vitest';
import { allSettings } from '../../src/cli/config/settings.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Nothing of what the machine of whoever runs the tests says about queues. */
const { NO_COLOR: _, CONFIG_PATH: __, ...others } = process.env;
const variables = new Set(allSettings.flatMap(({ environment }) => environment.map(({ name }) => name)));
const env = Object.fromEntries(Object.entries(others).filter(([name]) => !variables.has(name)));

/** `signalbox` as it was built. */
export const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/**
 * Starts programs in processes of their own, as a shell sees them, in the repository's folder; `in` takes another one first.
 * `environment` is added to that of this process at each start. What still runs after a test is killed. Call it at the top of a file.
 */
export function builtPrograms(environment: Readonly<Record<string, string>> = {}) {
  const children = new Set<ChildProcess>();
  beforeAll(() => {
    if (!existsSync(main)) throw new Error('there is no dist; run "npm run build", or the tests by "npm test"');
  });
  afterEach(() => {
    for (const child of children) child.kill('SIGKILL');
    children.clear();
  });

  const start = (program: string, ...argv: readonly string[]) => startIn(root, program, ...argv);
  return Object.assign(start, { in: startIn });

  function startIn(folder: string, program: string, ...argv: readonly string[]) {
    const child = spawn(process.execPath, [program, ...argv], {
      cwd: folder,
      env: { ...env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.add(child);
    const out = { stdout: '', stderr: '' };
    const listeners = new Set<() => void>();
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        out[name] += text;
        for (const listen of listeners) listen();
      });
    }
    const ended = new Promise<{ code: number | null; signal: string | null; stdout: string; stderr: string }>(
      (resolve) => child.on('close', (code, signal) => resolve({ code, signal, ...out })),
    );
    const until = (name: keyof typeof out, text: string) =>
      new Promise<void>((resolve, reject) => {
        const listen = () => {
          if (!out[name].includes(text)) return;
          listeners.delete(listen);
          resolve();
        };
        listeners.add(listen);
        void ended.then(({ stderr }) => reject(new Error(`ended without saying "${text}": ${stderr}`)));
        listen();
      });
    /** Each resolves once stderr, or stdout, has the text, and rejects when the process ended without. */
    const told = (text: string) => until('stderr', text);
    const printed = (text: string) => until('stdout', text);
    return { child, ended, told, printed };
  }
}
