// npm run soak: compiles soak/ to dist-bench/ and runs soak/main.ts with the arguments given.
import { join } from 'node:path';
import { buildMissing, tsc } from './build.mjs';
import { installMissing, root } from './install-missing.mjs';
import { runNode } from './run-node.mjs';

installMissing();
buildMissing();
const code = tsc('tsconfig.bench.json');
if (code !== 0) process.exit(code);
runNode(['--enable-source-maps', join(root, 'dist-bench', 'soak', 'main.js'), ...process.argv.slice(2)]);
