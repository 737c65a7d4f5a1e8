import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { defaultStoreUrl, isOwnFile } from './config/settings.js';
import { isThere } from './is-there.js';

/**
 * Makes the folder of a default file, `.signalbox`, with a `.gitignore` that keeps all of it out of the repository that it is in: nobody
 * asked for it by name. Where it cannot be made, opening the file says why.
 */
export function makeOwnFolder(url: string): void {
  const folder = dirname(pathOf(url));
  if (existsSync(folder)) return;
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, '.gitignore'), '*\n');
  } catch {
    // Said by whoever opens the file.
  }
}

/** Whether a URL is a default whose file nothing has made in this folder. Who only looks makes none. */
export function isMissingOwnFile(url: string): boolean {
  return isOwnFile(url) && !isThere(pathOf(url));
}

/** Why there is nothing to see, to be put behind what there is none of; empty where the file is there. */
export function missingText(url: string): string {
  if (!isMissingOwnFile(url)) return '';
  const another =
    url === defaultStoreUrl ? 'STORE_URL or --store says where else builds are kept' : '--queue names another queue';
  return `: there is no ${pathOf(url)} in this folder; ${another}`;
}

function pathOf(url: string): string {
  return url.replace(/^sqlite:/, '');
}
