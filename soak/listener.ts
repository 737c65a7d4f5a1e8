import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** What a running program was started with: enough to start it again. */
export interface Started {
  readonly pid: number;
  /** As seen from inside its root. */
  readonly executable: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly root: string;
  /** As seen from inside its root. */
  readonly directory: string;
  readonly uid: number;
  readonly gid: number;
  /** The file that its standard output goes to; null where that is none. */
  readonly output: string | null;
}

/**
 * The program that listens on a port of this machine, as /proc shows it; null when none does, or none that we may
 * look at. Linux only.
 */
export function listenerOn(port: number): Started | null {
  const inodes = listeningInodes(port);
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const holds = tryTo(() => readdirSync(`/proc/${pid}/fd`))?.some((fd) => {
      const target = tryTo(() => readlinkSync(`/proc/${pid}/fd/${fd}`));
      return target !== undefined && inodes.has(target);
    });
    if (holds) return tryTo(() => startedOf(Number(pid))) ?? null;
  }
  return null;
}

/** Name of the program, such as `mysqld`. */
export const programOf = ({ executable }: Started): string => basename(executable);

/** `socket:[inode]` of every socket that listens on the port. */
function listeningInodes(port: number): ReadonlySet<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) =>
    (tryTo(() => readFileSync(file, 'utf8')) ?? '').split('\n'),
  );
  const sockets = lines.map((line) => line.trim().split(/\s+/));
  // Columns of proc(5): local address 1, state 3 (0A: listening), inode 9.
  const listening = sockets.filter(([, local = '', , state]) => local.endsWith(suffix) && state === '0A');
  return new Set(listening.map((columns) => `socket:[${columns[9]}]`));
}

function startedOf(pid: number): Started {
  const link = (name: string): string => readlinkSync(`/proc/${pid}/${name}`);
  const texts = (name: string): string[] => readFileSync(`/proc/${pid}/${name}`, 'utf8').split('\0').slice(0, -1);
  const root = link('root');
  // Links are seen from our root, programs are started from theirs.
  const inside = (path: string): string =>
    root !== '/' && path.startsWith(root) ? path.slice(root.length) || '/' : path;
  const output = link('fd/1');
  return {
    pid,
    executable: inside(link('exe')),
    argv: texts('cmdline'),
    environment: Object.fromEntries(
      texts('environ').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    ),
    root,
    directory: inside(link('cwd')),
    uid: idOf(pid, 'Uid'),
    gid: idOf(pid, 'Gid'),
    output: output.startsWith('/') && !output.startsWith('/dev/') ? output : null,
  };
}

/** The effective one. */
function idOf(pid: number, name: 'Uid' | 'Gid'): number {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`^${name}:\\s+\\d+\\s+(\\d+)`, 'm'));
  return Number(line?.[1]);
}

/** Processes end while they are looked at, and those of others do not let us. */
function tryTo<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
