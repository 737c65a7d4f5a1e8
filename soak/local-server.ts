import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readlinkSync } from 'node:fs';
import { firstHandshake } from './handshake.js';
import { listenerOn, programOf, type Started } from './listener.js';
import type { Backend } from './profile.js';

const programs: Readonly<Record<Exclude<Backend, 'sqlite'>, readonly string[]>> = {
  mysql: ['mysqld', 'mariadbd'],
  amqp: ['beam.smp'],
};

const defaultPorts: Readonly<Record<string, number>> = {
  'mysql:': 3306,
  'mariadb:': 3306,
  'amqp:': 5672,
  'amqps:': 5671,
};

/** How long a server may take to come back, milliseconds: recovery after a kill under load included. */
const startDeadlineMs = 120_000;

/** A server of this machine that can be killed and started again the way it was started. */
export class LocalServer {
  readonly #url: string;
  readonly #port: number;
  readonly #started: Started;

  /** Throws an error that says why it could not be done; nothing has been killed then. */
  constructor(backend: Exclude<Backend, 'sqlite'>, url: string) {
    const { protocol, hostname, port } = new URL(url);
    this.#url = url;
    this.#port = port === '' ? (defaultPorts[protocol] ?? 0) : Number(port);
    if (!isLoopback(hostname)) throw refusal(`${hostname} is not this machine`);
    const started = listenerOn(this.#port);
    if (started === null) throw refusal(`nothing that we may look at listens on port ${this.#port}`);
    const program = programOf(started);
    // Of a container it is only the door: killing that would kill no server.
    if (!programs[backend].includes(program)) {
      throw refusal(`${program} listens on port ${this.#port}, which is none of ${programs[backend].join(', ')}`);
    }
    if (process.getuid?.() !== 0 && (started.root !== '/' || started.uid !== process.getuid?.())) {
      throw refusal(`${program} runs as another user or in a root of its own`);
    }
    // Started again outside of it, it would find its data gone.
    if (mountsOf(started.pid) !== mountsOf('self')) throw refusal(`${program} has mounts of its own`);
    this.#started = started;
  }

  /** kill -9, just after `now` was called; resolves when the process is gone. Throws when it ended by itself before. */
  async kill(now: () => void): Promise<void> {
    const running = listenerOn(this.#port);
    if (running === null) throw new Error(`the server on port ${this.#port} ended by itself`);
    now();
    process.kill(running.pid, 'SIGKILL');
    while (existsSync(`/proc/${running.pid}`) && listenerOn(this.#port) !== null) await pause(5);
  }

  /** Starts it, unless who started it first already did. Resolves at its first handshake. */
  async start(): Promise<void> {
    if (listenerOn(this.#port) === null) startAgain(this.#started);
    if (!(await firstHandshake(this.#url, this.#port, startDeadlineMs))) {
      throw new Error(`the server on port ${this.#port} did not come back within ${startDeadlineMs / 1_000} s`);
    }
  }
}

function startAgain({ executable, argv, environment, root, directory, uid, gid, output }: Started): void {
  const out = output === null ? 'ignore' : openSync(output, 'a');
  const [command, args] =
    root === '/'
      ? [executable, argv.slice(1)]
      : // chroot(1) leaves its program in the new root's /, and it may have been started somewhere else.
        [
          'chroot',
          [
            `--userspec=${uid}:${gid}`,
            root,
            'sh',
            '-c',
            'cd "$0" && exec "$@"',
            directory,
            executable,
            ...argv.slice(1),
          ],
        ];
  const child = spawn(command, args, {
    ...(root === '/' ? { cwd: directory, argv0: argv[0] ?? executable, uid, gid } : {}),
    env: environment,
    stdio: ['ignore', out, out],
    // It was there before us and stays when we are gone.
    detached: true,
  });
  child.unref();
  if (typeof out === 'number') closeSync(out);
}

const mountsOf = (pid: number | 'self'): string => readlinkSync(`/proc/${pid}/ns/mnt`);

function refusal(why: string): Error {
  return new Error(
    `cannot kill the server: ${why}; run it as a plain process of this machine, or use --no-server-kill`,
  );
}

/** `localhost`, 127.0.0.0/8 and ::1, as `URL` writes them. */
function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
