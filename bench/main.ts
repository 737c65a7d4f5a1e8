import { parseArgs } from 'node:util';
import { benchMemory } from './memory.js';

/** `npm run bench -- memory [--json] [--messages N]`: one benchmark a backend, each in a file of its own. */
const benchmarks: Readonly<Record<string, (options: BenchOptions) => Promise<void>>> = { memory: benchMemory };

export interface BenchOptions {
  readonly json: boolean;
  /** Messages per cell; null: the benchmark's own choice. */
  readonly messages: number | null;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, messages: { type: 'string' } },
});
const [backend = 'memory'] = positionals;
const bench = benchmarks[backend];
const messages = values.messages === undefined ? null : Number(values.messages);
if (bench === undefined || (messages !== null && !(Number.isInteger(messages) && messages > 0))) {
  console.error(`usage: npm run bench -- ${Object.keys(benchmarks).join('|')} [--json] [--messages N]`);
  process.exitCode = 2;
} else {
  await bench({ json: values.json, messages });
}
