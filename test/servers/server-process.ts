import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { type Command, systemEnvironment, whichIn } from './program.js';

const running = new Set<ChildProcess>();

process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * A server as a child of this process that never outlives it: on Linux the kernel kills it when this process ends in
 * whatever way (`setpriv --pdeathsig`, kept by every `exec` up to the server), elsewhere an exit hook does.
 */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #log: string;
  readonly #gone: Promise<void>;
  #ended: string | null = null;

  /** What the server prints is appended to the file `log`. */
  constructor({ file, args }: Command, env: NodeJS.ProcessEnv, log: string) {
    const output = openSync(log, 'a');
    const guard = whichIn('/', 'setpriv') === null ? [] : ['setpriv', '--pdeathsig', 'KILL', '--'];
    const [command = file, ...rest] = [...guard, file, ...args];
    this.#log = log;
    this.#child = spawn(command, rest, {
      env: { ...systemEnvironment(), ...env },
      stdio: ['ignore', output, output],
      // A group of its own: Ctrl-C is for the tests, which then end their servers.
      detached: true,
    });
    closeSync(output);
    this.#child.unref();
    running.add(this.#child);
    this.#gone = new Promise((resolve) => {
      const end = (how: string): void => {
        this.#ended ??= how;
        running.delete(this.#child);
        resolve();
      };
      this.#child.once('error', (error) => end(error.message));
      this.#child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`));
    });
  }

  get pid(): number | null {
    return this.#ended === null ? (this.#child.pid ?? null) : null;
  }

  /** How it ended, null while it runs. */
  get ended(): string | null {
    return this.#ended;
  }

  /** Resolves when the process is gone. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (this.#ended === null) this.#child.kill(signal);
    this.#child.ref();
    await this.#gone;
  }

  /** The last lines that it printed. */
  lastWords(): string {
    return readFileSync(this.#log, 'utf8').trimEnd().split('\n').slice(-20).join('\n');
  }
}
