import { parseArgs } from 'node:util';

export interface BenchOptions {
  readonly json: boolean;
  /** Messages per cell; null: the benchmark's own choice. */
  readonly messages: number | null;
}

/** What to run, or the one line that says what is wrong and how it is used. Pure. */
export function readBenchArguments(
  args: readonly string[],
  names: readonly string[],
): { readonly name: string; readonly options: BenchOptions } | { readonly usage: string } {
  const refuse = (fault: string) => ({
    usage: `${fault}; usage: npm run bench -- [${names.join('|')}] [--json] [--messages N]`,
  });
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { json: { type: 'boolean', default: false }, messages: { type: 'string' } },
    });
    const [name = names[0] ?? '', ...more] = positionals;
    if (!names.includes(name)) return refuse(`there is no benchmark ${JSON.stringify(name)}`);
    if (more.length > 0) return refuse('one benchmark at a time');
    const messages = values.messages === undefined ? null : Number(values.messages);
    if (messages !== null && !(Number.isSafeInteger(messages) && messages > 0)) {
      return refuse(`--messages must be a whole number from 1, not ${JSON.stringify(values.messages)}`);
    }
    return { name, options: { json: values.json, messages } };
  } catch (error) {
    // What node:util says after its first sentence is advice about `--`, which fits no option of ours.
    return refuse(String(error instanceof Error ? error.message : error).split(/\. |\n/, 1)[0] ?? '');
  }
}
