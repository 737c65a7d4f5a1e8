import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TemporaryFile {
  /** Its path, as it may stand in a URL. */
  readonly urlPath: string;
  /** Removes it, its folder, and what was made beside it. Again changes nothing. */
  remove(): void;
}

/** A path for a file that nobody else has, in a folder of its own. It goes when it is removed, or at the latest when the process ends by itself. */
export function temporaryFile(prefix: string, name: string): TemporaryFile {
  const folder = mkdtempSync(join(tmpdir(), prefix));
  const remove = (): void => {
    process.off('exit', remove);
    rmSync(folder, { recursive: true, force: true });
  };
  // A second signal ends the process by `process.exit`.
  process.on('exit', remove);
  return { urlPath: encodeURI(join(folder, name)).replaceAll('?', '%3F'), remove };
}
