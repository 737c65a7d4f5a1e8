// npm start: the main job on the jobs of examples/, in a fresh clone with nothing but Node and npm.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildMissing } from './build.mjs';
import { installMissing, root } from './install-missing.mjs';

installMissing();
buildMissing();
// In this process, so that Ctrl-C, the exit code and the terminal are the program's own.
const main = join(root, 'dist', 'cli', 'main.js');
process.argv.splice(1, 1, main, 'demo');
await import(pathToFileURL(main).href);
