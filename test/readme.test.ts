import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';

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

  it('names only files and commands that exist', () => {
    const readme = read('README.md');
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

    for (const [, path] of readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g))
      expect(() => read(path as string), path).not.toThrow();
    for (const [, script] of readme.matchAll(/npm run ([a-z]+)/g)) expect(Object.keys(scripts)).toContain(script);
  });
});
