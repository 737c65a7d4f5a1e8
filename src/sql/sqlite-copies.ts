import { readdirSync, readFileSync, statSync } from 'node:fs';
import type Libsql from 'libsql';
import { Refusal } from '../queue/driver.js';

/** The files that this thread has opened by one copy of libsql. Kept on its class, which several modules may share. */
const register = Symbol.for('signalbox.sqlite-files');

type Copy = typeof Libsql & { [register]?: Set<string> };

/**
 * To be called before a file is opened. Throws an `unsupported` refusal where another copy of libsql has it open in this process: POSIX
 * locks belong to a process, so neither copy sees those of the other (https://www.sqlite.org/howtocorrupt.html, 2.2.1). Measured with
 * two of them in two threads: a damaged file, or a bus error, within a second. SQLite cannot be asked who has the file: opening it
 * cuts down the memory that the other copy shares with other processes.
 *
 * Only on Linux, where a process sees what it has loaded and opened. Where two copies are loaded and another thread has the file
 * open, it cannot be told by which: that is refused as well.
 */
export function demandOneCopy(library: typeof Libsql, path: string): void {
  const file = fileAt(path);
  // What this copy has closed may still be open: libsql keeps a file until its statements are collected as garbage.
  if (file === null || (library as Copy)[register]?.has(file)) return;
  const copies = loadedCopies();
  if (copies.length < 2 || !isOpenHere(file)) return;
  throw new Refusal(
    'unsupported',
    `${path} is open in this process already, which has loaded two copies of libsql (${copies.join(', ')}), and neither sees the locks of the other: the file would be damaged`,
    'let all of the process use one copy ("npm dedupe"), or open the file in one process each',
  );
}

/** To be called when a file was opened. */
export function rememberFile(library: typeof Libsql, path: string): void {
  const file = fileAt(path);
  if (file === null) return;
  const copy = library as Copy;
  copy[register] ??= new Set();
  copy[register].add(file);
}

/** Names a file, whatever links lead to it; null: there is none. */
function fileAt(path: string): string | null {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? null : `${stats.dev} ${stats.ino}`;
}

/** Of all threads. Takes 0.3 ms. */
function loadedCopies(): readonly string[] {
  const found = readOr('', () => readFileSync('/proc/self/maps', 'utf8')).matchAll(/\/.*\/@libsql\/.*\.node$/gm);
  return [...new Set(Array.from(found, ([path]) => path))];
}

function isOpenHere(file: string): boolean {
  return readOr([], () => readdirSync('/proc/self/fd')).some(
    (number) => readOr(null, () => fileAt(`/proc/self/fd/${number}`)) === file,
  );
}

/** A descriptor may be closed meanwhile, and elsewhere than on Linux there is nothing to read. */
function readOr<T>(otherwise: T, read: () => T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
