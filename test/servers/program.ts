import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Programs of one server, on this machine. */
export interface Program {
  /** `/`, or the root file system in which they lie and have to run. */
  readonly root: string;
  /** As `--version` says it: `10.11.14`. */
  readonly version: string;
}

/** What to execute so that a program runs in its root and sees one folder of ours. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
}

/** Where a program in a root of its own sees the folder that was given to it. */
const mountPoint = '/mnt';

/**
 * A root of its own gets its mounts in a mount namespace of the process: they end with it, and
 * two servers do not meet at one mount point. `exec` all the way, so that the process is the server itself.
 */
const inRoot = [
  'mount -t proc proc "$0/proc"',
  'mount --rbind /dev "$0/dev"',
  `mount --bind "$1" "$0${mountPoint}"`,
  'root=$0; shift; exec chroot "$root" "$@"',
].join(' && ');

export function commandOf(program: Program, folder: string, argv: readonly string[]): Command {
  const [file = '', ...args] = argv;
  return program.root === '/'
    ? { file, args }
    : {
        file: 'unshare',
        args: ['--mount', '--propagation', 'private', 'sh', '-c', inRoot, program.root, folder, ...argv],
      };
}

/** A path in `folder` as the program sees it. */
export function seenBy(program: Program, folder: string, ...path: readonly string[]): string {
  return join(program.root === '/' ? folder : mountPoint, ...path);
}

/** Runs a program to its end and answers its standard output; rejects with what it wrote to standard error. */
export async function runProgram(
  program: Program,
  folder: string,
  argv: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly deadlineMs: number },
): Promise<string> {
  const { file, args } = commandOf(program, folder, argv);
  try {
    const { stdout } = await run(file, args, {
      env: { ...systemEnvironment(), ...options.env },
      timeout: options.deadlineMs,
      maxBuffer: 2 ** 26,
    });
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    const said = `${stdout}${stderr}`.trim().split('\n').slice(-15).join('\n');
    throw new Error(`${argv.slice(0, 3).join(' ')} failed: ${said || String(error)}`, { cause: error });
  }
}

/** Of our environment only what a program needs: neither NODE_OPTIONS nor another server's RABBITMQ_ variables. */
export function systemEnvironment(): NodeJS.ProcessEnv {
  return {
    // Servers are in sbin, which the PATH of many users lacks.
    PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin`,
    LANG: 'C.UTF-8',
  };
}

/** The full path of a program in a root, or null. */
export function whichIn(root: string, name: string): string | null {
  const folders = (systemEnvironment().PATH ?? '').split(':').filter((folder) => folder !== '');
  for (const folder of folders) {
    try {
      accessSync(join(root, folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // Not in this folder.
    }
  }
  return null;
}
