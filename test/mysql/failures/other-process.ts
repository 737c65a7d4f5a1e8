import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** What `other-program.ts` is asked to do, and what it says. */
export interface OtherTask {
  readonly url: string;
  readonly topic: string;
  readonly ordering: 'none' | 'key';
  readonly leaseMs: number;
  /** By how much its time of day is wrong. */
  readonly clockOffsetMs: number;
  /** Publishes these once it is ready. */
  readonly publish: readonly { readonly n: number; readonly delayMs: number }[];
  /** Takes messages and never settles them. */
  readonly holds: boolean;
}

/**
 * Another process of Node.js with the sources as they are, for what no stand-in in this one can show: a real end by `kill -9`, a
 * wrong time of day. Ends with the block.
 */
export class OtherProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  /** What it said, in order: `ready`, `published`, or the number of a message that it got. */
  readonly said: (string | number)[] = [];

  constructor(task: OtherTask) {
    this.#child = fork(join(compiled(), 'test/mysql/failures/other-program.js'), [JSON.stringify(task)]);
    this.#child.on('message', (message) => this.said.push(message as string | number));
  }

  async kill9(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill9();
  }
}

let folder: string | null = null;

/** The sources as JavaScript, below `node_modules`, so that their imports of packages are found. Made once, and removed at the end of this process. */
function compiled(): string {
  if (folder !== null) return folder;
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const made = mkdtempSync(join(cache, 'other-process-'));
  process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  for (const file of sources()) transpile(file, made);
  writeFileSync(join(made, 'package.json'), '{ "type": "module" }\n');
  folder = made;
  return made;
}

function sources(): readonly string[] {
  const below = (part: string): readonly string[] =>
    readdirSync(join(root, part), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => `${part}/${file}`);
  const own = ['src/index.ts', 'src/open-queue.ts', 'test/mysql/failures/other-program.ts'];
  return [...own, ...below('src/queue').filter((file) => !file.includes('/conformance/')), ...below('src/sql')];
}

function transpile(file: string, into: string): void {
  const { outputText } = ts.transpileModule(readFileSync(join(root, file), 'utf8'), {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
  });
  const path = join(into, file.replace(/\.ts$/, '.js'));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, outputText);
}
