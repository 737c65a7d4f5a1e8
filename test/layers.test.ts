import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

type Case = readonly [file: string, line: string];

const forbidden: readonly Case[] = [
  ['src/queue/queue.ts', "import { memory } from './memory/index.js';"],
  ['src/queue/queue.ts', "import type { MemoryDriver } from './memory/driver.js';"],
  ['src/queue/queue.ts', "export * from './mysql/index.js';"],
  ['src/queue/queue.ts', "await import('./amqp/index.js');"],
  ['src/queue/queue.ts', "import { suite } from './conformance/index.js';"],
  ['src/queue/queue.ts', "import { sneak } from '../queue/memory/index.js';"],
  ['src/queue/queue.ts', "import { memory } from 'signalbox/memory';"],
  ['src/queue/queue.ts', "import { Build } from '../orchestrator/index.js';"],
  ['src/queue/memory/driver.ts', "import { Queue } from '../queue.js';"],
  ['src/queue/memory/driver.ts', "import { statements } from '../mysql/statements.js';"],
  ['src/queue/memory/driver.ts', "import { Build } from '../../orchestrator/index.js';"],
  ['src/queue/memory/driver.ts', "import { openQueue } from 'signalbox';"],
  ['src/queue/amqp/send.ts', "import { retry } from '../retry.js';"],
  ['src/queue/amqp/connection/link.ts', "import { retry } from '../../retry.js';"],
  ['src/queue/amqp/connection/link.ts', "import { memory } from '../../memory/index.js';"],
  ['src/sql/migrate.ts', "import { statements } from '../queue/mysql/statements.js';"],
  ['src/sql/migrate.ts', "import { QueueError } from '../queue/index.js';"],
  ['src/sql/migrate.ts', "import { Build } from '../orchestrator/index.js';"],
  ['src/orchestrator/orchestrator.ts', "import { mysqlBuildStore } from './mysql/index.js';"],
  ['src/orchestrator/orchestrator.ts', "import { migrate } from '../sql/migrate.js';"],
  ['src/orchestrator/orchestrator.ts', "import { mysql } from '../queue/mysql/index.js';"],
  ['src/orchestrator/orchestrator.ts', "import { sql } from 'kysely';"],
  ['src/queue/conformance/suite.ts', "import { memory } from '../memory/index.js';"],
  ['src/queue/conformance/suite.ts', "import { test } from 'vitest';"],
  ['src/queue/conformance/suite.ts', "import { openQueue } from '../../open-queue.js';"],
  ['src/queue/conformance/model/run.ts', "import { memory } from '../../memory/index.js';"],
  ['src/queue/conformance/model/run.ts', "import { Build } from '../../../orchestrator/index.js';"],
  ['src/queue/conformance/model/run.ts', "import { openQueue } from '../../../open-queue.js';"],
  ['src/queue/conformance/model/run.ts', "import { test } from 'vitest';"],
];

const allowed: readonly Case[] = [
  ['src/queue/queue.ts', "import { QueueError } from './errors.js';"],
  ['src/queue/queue.ts', "import { v7 } from 'uuid';"],
  ['src/queue/memory/driver.ts', "import type { Driver } from '../driver.js';"],
  ['src/queue/memory/driver.ts', "import { Store } from './store.js';"],
  ['src/queue/memory/driver.ts', "import { randomUUID } from 'node:crypto';"],
  ['src/queue/amqp/connection/link.ts', "import { Refusal } from '../../driver.js';"],
  ['src/queue/amqp/connection/link.ts', "import { settings } from '../settings.js';"],
  ['src/queue/mysql/claim.ts', "import { migrate } from '../../sql/migrate.js';"],
  ['src/queue/mysql/migrations/first.ts', "import { migrate } from '../../../sql/migrate.js';"],
  ['src/sql/migrate.ts', "import { Refusal } from '../queue/driver.js';"],
  ['src/sql/migrate.ts', "import { Kysely } from 'kysely';"],
  ['src/orchestrator/orchestrator.ts', "import { QueueError } from '../queue/index.js';"],
  ['src/orchestrator/orchestrator.ts', "import { sweep } from './sweep.js';"],
  ['src/orchestrator/mysql/build-store.ts', "import { requireSchema } from '../../sql/require-schema.js';"],
  ['src/queue/conformance/suite.ts', "import type { Driver } from '../driver.js';"],
  ['src/queue/conformance/suite.ts', "import { openQueue } from '../queue.js';"],
  ['src/queue/conformance/model/run.ts', "import type { Driver } from '../../driver.js';"],
  ['src/queue/conformance/model/run.ts', "import type { Harness } from '../harness.js';"],
  ['src/open-queue.ts', "await import('./queue/memory/index.js');"],
];

const project = mkdtempSync(join(tmpdir(), 'signalbox-layers-'));
/** What biome says about a project of our layout, in which each case is a file of its own. */
let findings: string;

beforeAll(() => {
  copyFileSync(join(root, 'biome.json'), join(project, 'biome.json'));
  for (const [file, line] of [...forbidden, ...allowed]) {
    const path = join(project, placed(file, line));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${line}\n`);
  }
  const { stdout, stderr, error } = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/@biomejs/biome/bin/biome'),
      ...['lint', '--only=style/noRestrictedImports', '--vcs-enabled=false', '--max-diagnostics=none', 'src'],
    ],
    { cwd: project, encoding: 'utf8' },
  );
  if (error) throw error;
  findings = `${stdout}${stderr}`;
});

afterAll(() => rmSync(project, { recursive: true, force: true }));

test.each(forbidden)('the layers forbid, in %s: %s', (file, line) => {
  expect(findings).toContain(`${placed(file, line)}:1:`);
});

test.each(allowed)('the layers allow, in %s: %s', (file, line) => {
  expect(findings).toContain(`Checked ${forbidden.length + allowed.length} files`);
  expect(findings).not.toContain(`${placed(file, line)}:1:`);
});

function placed(file: string, line: string): string {
  const number = [...forbidden, ...allowed].findIndex((each) => each[0] === file && each[1] === line);
  return join(dirname(file), `case-${number}.ts`);
}
