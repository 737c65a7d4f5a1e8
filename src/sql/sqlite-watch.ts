import { watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/**
 * Calls `changed` when a file of this database is written to, by whomever, about 1 ms afterwards, and costs nothing while
 * nobody writes. The folder is watched: the write-ahead log comes and goes. Where watching is not possible
 * (some network and container file systems) nothing is ever called: the slow probe sees it later.
 */
export function watchSqlite(path: string, changed: () => void): () => void {
  const log = `${basename(path)}-wal`;
  try {
    const watcher = watch(dirname(path), { persistent: false }, (_, name) => {
      if (name === null || name === log) changed();
    });
    watcher.on('error', () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => {};
  }
}
