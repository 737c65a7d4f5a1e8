import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Makes the folder of a default file, `.signalbox`, with a `.gitignore` that keeps all of it out of the repository that it is in: nobody
 * asked for it by name. Where it cannot be made, opening the file says why.
 */
export function makeOwnFolder(url: string): void {
  const folder = dirname(url.replace(/^sqlite:/, ''));
  if (existsSync(folder)) return;
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, '.gitignore'), '*\n');
  } catch {
    // Said by whoever opens the file.
  }
}
