import { parseArgs } from 'node:util';

export interface BenchOptions {
  readonly json: boolean;
  /** Messages per cell; null: the benchmark's own choice. */
  readonly messages: number | null;
  /** The one section to run; null: all. */
  readonly only: string | null;
}

/** A benchmark that a URL is for, and how such URLs begin. */
export interface Benchmarked {
  readonly name: string;
  /** Null: it needs no server. */
  readonly schemes: readonly string[] | null;
  /** Whether a file may be named instead, and need not be. */
  readonly file?: true;
}

/** What to run, or the one line that says what is wrong and how it is used. Pure. */
export function readBenchArguments(
  args: readonly string[],
  benchmarks: readonly Benchmarked[],
): { readonly name: string; readonly url: string | null; readonly options: BenchOptions } | { readonly usage: string } {
  const shown = benchmarks
    .map(({ name, schemes, file }) => (file ? `${name} [FILE]` : schemes === null ? name : `${name} URL`))
    .join('|');
  const refuse = (fault: string) => ({
    usage: `${fault}; usage: npm run bench -- [${shown}] [--json] [--messages N] [--only SECTION]`,
  });
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { json: { type: 'boolean', default: false }, messages: { type: 'string' }, only: { type: 'string' } },
    });
    const [name = benchmarks[0]?.name, url = null, ...more] = positionals;
    const benchmark = benchmarks.find((each) => each.name === name);
    if (benchmark === undefined) return refuse(`there is no benchmark ${JSON.stringify(name)}`);
    const { schemes, file = false } = benchmark;
    if (more.length > 0 || (schemes === null && !file && url !== null)) return refuse('one benchmark at a time');
    if (schemes !== null && url === null) return refuse(`the ${name} benchmark needs the URL of a server`);
    if (schemes !== null && !schemes.some((scheme) => url?.startsWith(scheme))) {
      // Not the URL itself: it may hold a password.
      return refuse(`the ${name} benchmark needs a URL that begins with ${schemes.join(' or ')}`);
    }
    if (schemes === null && !file && values.only !== undefined) return refuse(`the ${name} benchmark has no sections`);
    const messages = values.messages === undefined ? null : Number(values.messages);
    if (messages !== null && !(Number.isSafeInteger(messages) && messages > 0)) {
      return refuse(`--messages must be a whole number from 1, not ${JSON.stringify(values.messages)}`);
    }
    return { name: benchmark.name, url, options: { json: values.json, messages, only: values.only ?? null } };
  } catch (error) {
    // What node:util says after its first sentence is advice about `--`, which fits no option of ours.
    return refuse(String(error instanceof Error ? error.message : error).split(/\. |\n/, 1)[0] ?? '');
  }
}
