// npm test: everything vitest finds; arguments go to vitest. The end-to-end tests run dist.
import { join } from 'node:path';
import { buildMissing } from './build.mjs';
import { installMissing, root } from './install-missing.mjs';
import { runNode } from './run-node.mjs';

installMissing();
buildMissing();
runNode([join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...process.argv.slice(2)]);
