// npm run capabilities: writes the table of the README anew from what the drivers say of themselves.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildMissing } from './build.mjs';
import { backends, capabilitiesTable, withTable } from './capabilities-table.mjs';
import { installMissing, root } from './install-missing.mjs';

installMissing();
buildMissing();
const { driverOf } = await import('../dist/open-queue.js');
const described = [];
for (const { name, url } of backends) described.push({ name, capabilities: (await driverOf(url)).capabilities });
const path = join(root, 'README.md');
writeFileSync(path, withTable(readFileSync(path, 'utf8'), capabilitiesTable(described)));
