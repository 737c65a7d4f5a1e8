import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { backends, capabilitiesTable, withTable } from '../scripts/capabilities-table.mjs';
import { driverOf } from '../src/open-queue.js';
import { cli } from './cli/world.js';

const read = (path: string): string => readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), 'utf8');

describe('the README', () => {
  it('shows examples/first-steps.ts as it is', () => {
    const shown = /```ts\n([\s\S]*?)```/.exec(read('README.md'))?.[1];

    expect(shown).toBe(read('examples/first-steps.ts'));
  });

  it('shows an example that publishes, delays, consumes, retries and dead-letters', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});

    await import('../examples/first-steps.js');

    expect(log.mock.calls.map(([line]) => line)).toEqual([
      'made cat.png 320 wide',
      'made later.png 64 wide',
      ['attempts-exhausted: cannot read it, attempt 3'],
    ]);
    log.mockRestore();
  });

  it('has the table of capabilities that the drivers make', async () => {
    const described = await Promise.all(
      backends.map(async ({ name, url }) => ({ name, capabilities: (await driverOf(url)).capabilities })),
    );
    const readme = read('README.md');

    expect(readme, 'run "npm run capabilities"').toBe(withTable(readme, capabilitiesTable(described)));
    expect(readme).toMatch(/\| idempotency keys, remembered for \| 30 days \| 30 days \| no \| 30 days \|/);
  });

  it('names only commands that there are', async () => {
    const { world } = await cli(['--help']);
    const commands = new Set([...world.stdout.matchAll(/^ {2}([a-z-]+)[ []/gm)].map(([, name]) => name));

    for (const [, name] of read('README.md').matchAll(/npx signalbox ([a-z-]+)/g)) expect(commands).toContain(name);
  });

  it('names only files and commands that exist', () => {
    const readme = read('README.md');
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

    for (const [, path] of readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g))
      expect(() => read(path as string), path).not.toThrow();
    for (const [, script] of readme.matchAll(/npm run ([a-z]+)/g)) expect(Object.keys(scripts)).toContain(script);
  });
});
