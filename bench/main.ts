import { benchAmqp } from './amqp.js';
import { type Benchmarked, type BenchOptions, readBenchArguments } from './arguments.js';
import { benchMemory } from './memory.js';
import { benchMysql } from './mysql.js';
import { benchPortable } from './portable.js';
import { benchSqlite } from './sqlite.js';

interface Benchmark extends Benchmarked {
  /** `url` is there where the benchmark has schemes; of one with a file it is its path, or empty. */
  readonly run: (url: string, options: BenchOptions) => Promise<void>;
}

/** `npm run bench -- memory`, or `-- mysql URL`: one benchmark a backend, and one of what they have in common, each in a file of its own. */
const benchmarks: readonly Benchmark[] = [
  { name: 'memory', schemes: null, run: (_, options) => benchMemory(options) },
  { name: 'portable', schemes: null, run: (_, options) => benchPortable(options) },
  { name: 'mysql', schemes: ['mysql://', 'mariadb://'], run: benchMysql },
  { name: 'amqp', schemes: ['amqp://', 'amqps://'], run: benchAmqp },
  { name: 'sqlite', schemes: null, file: true, run: benchSqlite },
];

const read = readBenchArguments(process.argv.slice(2), benchmarks);
if ('usage' in read) {
  console.error(read.usage);
  process.exitCode = 2;
} else {
  try {
    await benchmarks.find(({ name }) => name === read.name)?.run(read.url ?? '', read.options);
  } catch (error) {
    console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
