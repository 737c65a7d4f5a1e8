import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const manifest = JSON.parse(read('package.json')) as {
  exports: Record<string, { types: string; default: string } | string>;
};
const entryPoints = Object.entries(manifest.exports).flatMap(([name, target]) =>
  typeof target === 'string'
    ? []
    : [
        {
          name: `signalbox${name.slice(1)}`,
          source: target.default.replace('./dist/', './src/').replace('.js', '.ts'),
        },
      ],
);

test.each(entryPoints)('$name has a source, and examples and tests are type-checked against it', ({ name, source }) => {
  const paths = read('tsconfig.json').replace(/^\s*\/\/.*$/gm, '');
  const mapped = (JSON.parse(paths) as { compilerOptions: { paths: Record<string, string[]> } }).compilerOptions.paths;

  expect(mapped[name]).toEqual([source]);
  expect(existsSync(new URL(`../${source}`, import.meta.url)), source).toBe(true);
});

test('the lock file names no registry, so that it installs behind any mirror', () => {
  expect(read('package-lock.json')).not.toMatch(/"resolved"/);
});
