import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
let folder: string | null = null;
const made = new Set<string>();

/**
 * The sources of the queue and one program of the tests as JavaScript, for a process of its own that runs them as they are. Below
 * `node_modules`, so that their imports of packages are found. Made once, and removed at the end of this process. Answers the program's path.
 */
export function compiledProgram(program: string): string {
  folder ??= newFolder();
  for (const file of made.size === 0 ? [program, ...sources()] : [program]) {
    if (!made.has(file)) transpile(file, folder);
    made.add(file);
  }
  return join(folder, program.replace(/\.ts$/, '.js'));
}

function newFolder(): string {
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const path = mkdtempSync(join(cache, 'other-process-'));
  // Some run as another user.
  chmodSync(path, 0o755);
  process.once('exit', () => rmSync(path, { recursive: true, force: true }));
  writeFileSync(join(path, 'package.json'), '{ "type": "module" }\n');
  return path;
}

function sources(): readonly string[] {
  const below = (part: string): readonly string[] =>
    readdirSync(join(root, part), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => `${part}/${file}`);
  const queue = below('src/queue').filter((file) => !file.includes('/conformance/'));
  return ['src/index.ts', 'src/open-queue.ts', ...queue, ...below('src/sql')];
}

function transpile(file: string, into: string): void {
  const { outputText } = ts.transpileModule(readFileSync(join(root, file), 'utf8'), {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
  });
  const path = join(into, file.replace(/\.ts$/, '.js'));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, outputText);
}
