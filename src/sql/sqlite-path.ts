import { accessSync, constants, mkdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { Refusal } from '../queue/driver.js';

/**
 * A file's one name, whatever links and dots lead to it, so that a process opens it once. Makes the folder. Throws a refusal for
 * what cannot be opened for reading and writing: SQLite itself would open it read-only, or say no more than CANTOPEN.
 */
export function sqlitePath(path: string): string {
  const absolute = resolve(path);
  const folder = dirname(absolute);
  try {
    mkdirSync(folder, { recursive: true });
    const real = join(realpathSync(folder), basename(absolute));
    const stats = statSync(real, { throwIfNoEntry: false });
    if (stats?.isDirectory()) throw new Refusal('invalid', `${path} is a folder`, 'give the path of a file in it');
    if (stats !== undefined && !stats.isFile()) {
      throw new Refusal('invalid', `${path} is no regular file`, 'give the path of one, or of none that is there yet');
    }
    // Beside it SQLite keeps its write-ahead log.
    accessSync(
      dirname(stats === undefined ? real : realpathSync(real)),
      constants.R_OK | constants.W_OK | constants.X_OK,
    );
    if (stats === undefined) return real;
    accessSync(real, constants.R_OK | constants.W_OK);
    return realpathSync(real);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const denied = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
    throw new Refusal(
      denied ? 'denied' : 'unavailable',
      `${path} cannot be opened for reading and writing (${code ?? String(error)})`,
      'give a path in a folder where this process may write',
    );
  }
}
