import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Lints one line as if it stood in `file`, by the rule of biome.json that keeps the layers. */
function forbidden(file: string, line: string): boolean {
  const { status, error } = spawnSync(
    process.execPath,
    ['node_modules/@biomejs/biome/bin/biome', 'lint', `--stdin-file-path=${file}`, '--only=style/noRestrictedImports'],
    // From standard input biome prints the code, not its findings; the exit code tells.
    { cwd: root, input: `${line}\n` },
  );
  if (error) throw error;
  return status !== 0;
}

test.each([
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
  ['src/queue/conformance/suite.ts', "import { memory } from '../memory/index.js';"],
  ['src/queue/conformance/suite.ts', "import { test } from 'vitest';"],
])('the layers forbid, in %s: %s', (file, line) => {
  expect(forbidden(file, line)).toBe(true);
});

test.each([
  ['src/queue/queue.ts', "import { QueueError } from './errors.js';"],
  ['src/queue/queue.ts', "import { v7 } from 'uuid';"],
  ['src/queue/memory/driver.ts', "import type { Driver } from '../driver.js';"],
  ['src/queue/memory/driver.ts', "import { Store } from './store.js';"],
  ['src/queue/memory/driver.ts', "import { randomUUID } from 'node:crypto';"],
  ['src/queue/conformance/suite.ts', "import type { Driver } from '../driver.js';"],
  ['src/queue/conformance/suite.ts', "import { openQueue } from '../queue.js';"],
  ['src/open-queue.ts', "await import('./queue/memory/index.js');"],
])('the layers allow, in %s: %s', (file, line) => {
  expect(forbidden(file, line)).toBe(false);
});
