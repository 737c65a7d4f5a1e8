import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type * as conformance from 'signalbox/conformance';
import type * as mysqlDriver from 'signalbox/mysql';
import ts from 'typescript';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mysqlHarness } from '../conformance/mysql-harness.js';
import { timeFactor } from '../mysql/eventually.js';
import { describeServers } from '../servers/index.js';
import { mutated } from './mutant.js';
import { mysqlCases } from './mysql-cases.js';
import { mysqlMutants } from './mysql-mutants.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'node_modules', '.cache', 'mutants', 'mysql');
const sources = ['src/queue', 'src/sql'].flatMap((part) =>
  readdirSync(join(root, part), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `${part}/${file}`),
);
const killers = [...new Set(mysqlMutants.mutants.flatMap(({ killedBy }) => killedBy))];

await describeServers(['mariadb'], (_, server) => {
  beforeAll(() => {
    rmSync(folder, { recursive: true, force: true });
    for (const file of sources) write(`right/${file}`, readFileSync(join(root, file), 'utf8'));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Which of the cases fail on a copy of the code, and why. */
  async function judge(copy: string, cases: readonly string[]): Promise<Record<string, string>> {
    const at = (file: string): string => pathToFileURL(join(folder, copy, 'src/queue', file)).href;
    const { runConformance }: typeof conformance = await import(at('conformance/index.js'));
    const { mysql }: typeof mysqlDriver = await import(at('mysql/index.js'));
    const failed: Record<string, string> = {};
    await Promise.all(
      cases.map(async (id) => {
        const url = await server().freshUrl();
        const own = mysqlCases[id];
        if (own !== undefined) {
          await own(mysql, url).catch((error: unknown) => {
            failed[id] = String(error);
          });
          return;
        }
        const harness = mysqlHarness({ url, version: server().version, make: mysql, timeFactor: 2 * timeFactor });
        const { promises } = await runConformance(harness, { only: [id] });
        const [result] = promises.flatMap((each) => each.cases);
        if (result?.status !== 'passed')
          failed[id] = String(result?.error ?? result?.status ?? 'there is no such case');
      }),
    );
    return failed;
  }

  test('a copy without a change passes the cases', async () => {
    expect(await judge('right', killers)).toEqual({});
  }, 60_000);

  for (const [index, mutant] of mysqlMutants.mutants.entries()) {
    test(`${mutant.name}: is killed by the cases that it names`, async () => {
      const copy = `mutant-${index}`;
      const changed = `src/queue/${mutant.file}`;
      const text = mutated(mutant, readFileSync(join(root, changed), 'utf8'));
      for (const file of sources) {
        if (file === changed) write(`${copy}/${file}`, text);
        else link(asJavaScript(file), copy);
      }

      const failed = await judge(copy, mutant.killedBy);

      expect(mutant.killedBy).not.toEqual([]);
      expect(Object.keys(failed).sort()).toEqual([...mutant.killedBy].sort());
    }, 60_000);
  }
});

function write(file: string, source: string): void {
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
  });
  const path = join(folder, asJavaScript(file));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, outputText);
}

function link(file: string, copy: string): void {
  const path = join(folder, copy, file);
  mkdirSync(dirname(path), { recursive: true });
  linkSync(join(folder, 'right', file), path);
}

function asJavaScript(file: string): string {
  return file.replace(/\.ts$/, '.js');
}
