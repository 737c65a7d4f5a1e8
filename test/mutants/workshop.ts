import { type ChildProcess, fork } from 'node:child_process';
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';
import type { Inspection, Verdict } from './inspector.js';
import { type Mutant, mutated } from './mutant.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Of a copy that goes round and never looks at the clock. No right one takes a tenth of it. */
const longestInspectionMs = 60_000;

/**
 * Makes copies of `src/queue` as JavaScript, the same but for one change, and has the conformance suite judge
 * them in a process of its own. Copies lie below `node_modules`, so that their imports of packages are found.
 */
export class Workshop implements AsyncDisposable {
  readonly #folder: string;
  /** Of `src/queue`: what changes in no mutant is transpiled once and linked. */
  readonly #files: readonly string[];
  #inspector: ChildProcess | null = null;
  #copies = 0;

  /** Two workshops with different names may work at once. */
  constructor(name: string) {
    this.#folder = join(root, 'node_modules', '.cache', 'mutants', name);
    rmSync(this.#folder, { recursive: true, force: true });
    this.#files = readdirSync(join(root, 'src/queue'), { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.ts'),
    );
    for (const file of this.#files) this.#write(`right/${file}`, readFileSync(join(root, 'src/queue', file), 'utf8'));
    for (const file of ['test/mutants/inspector.ts', 'test/conformance/memory-harness-of.ts'])
      this.#write(file, readFileSync(join(root, file), 'utf8'));
    writeFileSync(join(this.#folder, 'package.json'), '{ "type": "module" }\n');
  }

  /** What the suite says of the code as it is. */
  inspectRight(): Promise<Verdict> {
    return this.#inspect('right', null);
  }

  /** `only`: by these cases; null: by all. */
  inspect(mutant: Mutant, only: readonly string[] | null): Promise<Verdict> {
    const copy = `mutant-${++this.#copies}`;
    const text = mutated(mutant, readFileSync(join(root, 'src/queue', mutant.file), 'utf8'));
    for (const file of this.#files) {
      if (file === mutant.file) this.#write(`${copy}/${file}`, text);
      else this.#link(asJavaScript(file), copy);
    }
    return this.#inspect(copy, only);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dismiss();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #write(file: string, source: string): void {
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
    });
    const path = join(this.#folder, asJavaScript(file));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, outputText);
  }

  #link(file: string, copy: string): void {
    const path = join(this.#folder, copy, file);
    mkdirSync(dirname(path), { recursive: true });
    linkSync(join(this.#folder, 'right', file), path);
  }

  async #inspect(copy: string, only: readonly string[] | null): Promise<Verdict> {
    this.#inspector ??= fork(join(this.#folder, 'test/mutants/inspector.js'));
    const inspector = this.#inspector;
    const answer = new Promise<{ verdict: Verdict } | { error: string }>((resolve, reject) => {
      const timer = setTimeout(() => end(new Error(`no verdict after ${longestInspectionMs} ms`)), longestInspectionMs);
      const end = (error: Error): void => {
        clearTimeout(timer);
        inspector.off('exit', exited).off('message', answered);
        reject(error);
      };
      const exited = (): void => end(new Error('the inspector died'));
      const answered = (message: unknown): void => {
        resolve(message as { verdict: Verdict });
        end(new Error('answered'));
      };
      inspector.on('exit', exited).on('message', answered);
    });
    const inspection: Inspection = { copyUrl: pathToFileURL(join(this.#folder, copy)).href, only };
    inspector.send(inspection);
    try {
      const said = await answer;
      if ('error' in said) throw new Error(said.error);
      return said.verdict;
    } catch (error) {
      await this.#dismiss();
      throw error;
    }
  }

  #dismiss(): Promise<void> {
    const inspector = this.#inspector;
    this.#inspector = null;
    if (inspector === null || inspector.exitCode !== null || inspector.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
      inspector.once('exit', () => resolve());
      inspector.kill('SIGKILL');
    });
  }
}

function asJavaScript(file: string): string {
  return file.replace(/\.ts$/, '.js');
}
