import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

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

/** Minutes each; vitest begins with the largest files, and these are short. Begun last, they would be waited for alone. */
const longest = [
  'test/conformance/amqp-4',
  'test/amqp/failures/broker-killed',
  'test/conformance/mysql.',
  'test/conformance/mariadb.',
  'test/cli/stop',
  'test/move/',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const place = ({ moduleId }: TestSpecification): number =>
      (longest.findIndex((name) => moduleId.includes(name)) + longest.length + 1) % (longest.length + 1);
    return sorted.toSorted((one, other) => place(one) - place(other));
  }
}

export default defineConfig({
  resolve: { alias: entryPoints },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/servers/global-setup.ts'],
    typecheck: {
      // In CI `npm run check` compiles them, with everything else.
      enabled: !process.env.CI,
      include: ['test/**/*.test-d.ts'],
      tsconfig: 'tsconfig.json',
      // A type error elsewhere is for `npm run check` and the build to report.
      ignoreSourceErrors: true,
    },
    sequence: { sequencer: LongestFirst },
    // Processes, not threads: tests send signals and start programs. On two cores four are worth it: many files mostly wait.
    pool: 'forks',
    maxWorkers: 4,
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
