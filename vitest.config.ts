import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const { exports } = JSON.parse(readFileSync(path('package.json'), 'utf8')) as {
  exports: Record<string, { default: string } | string>;
};

/** `signalbox`, `signalbox/memory` …: the sources behind the entry points, so that unit tests need no build. */
const entryPoints = Object.entries(exports).flatMap(([name, target]) =>
  typeof target === 'string'
    ? []
    : [
        {
          find: new RegExp(`^signalbox${name.slice(1)}$`),
          replacement: path(target.default.replace('./dist/', 'src/').replace(/\.js$/, '.ts')),
        },
      ],
);

export default defineConfig({
  resolve: { alias: entryPoints },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/servers/global-setup.ts'],
    typecheck: {
      enabled: true,
      include: ['test/**/*.test-d.ts'],
      tsconfig: 'tsconfig.json',
      // A type error elsewhere is for `npm run check` and the build to report.
      ignoreSourceErrors: true,
    },
    // Processes, not threads: tests send signals and start programs. All cores: with two, vitest would use one.
    pool: 'forks',
    maxWorkers: 3,
    // Conformance cases wait more than they work; the suite itself lets eight run at once.
    maxConcurrency: 8,
    // In CI alone: real servers, killed on a machine that others may share. What was tried again is printed with its test.
    retry: process.env.CI ? 2 : 0,
    // A laggard is a defect, a busy machine is not: far above what any test needs.
    testTimeout: 20_000,
    hookTimeout: 30_000,
    coverage: { include: ['src/**'], reporter: ['text', 'html'] },
  },
});
