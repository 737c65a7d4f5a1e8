// npm run bench: compiles bench/ to dist-bench/ and runs bench/main.ts with the arguments given.
import { join } from 'node:path';
import { buildMissing, tsc } from './build.mjs';
import { installMissing, root } from './install-missing.mjs';
import { runNode } from './run-node.mjs';

installMissing();
buildMissing();
const code = tsc('tsconfig.bench.json');
if (code !== 0) process.exit(code);
// --expose-gc: a benchmark that says memory stays flat has to collect before it measures.
runNode([
  '--expose-gc',
  '--enable-source-maps',
  join(root, 'dist-bench', 'bench', 'main.js'),
  ...process.argv.slice(2),
]);
