import { type BenchOptions, readBenchArguments } from './arguments.js';
import { benchMemory } from './memory.js';
import { benchPortable } from './portable.js';

/** `npm run bench -- memory [--json] [--messages N]`: one benchmark a backend, and one of what they have in common, each in a file of its own. */
const benchmarks: Readonly<Record<string, (options: BenchOptions) => Promise<void>>> = {
  memory: benchMemory,
  portable: benchPortable,
};

const read = readBenchArguments(process.argv.slice(2), Object.keys(benchmarks));
if ('usage' in read) {
  console.error(read.usage);
  process.exitCode = 2;
} else {
  await benchmarks[read.name]?.(read.options);
}
