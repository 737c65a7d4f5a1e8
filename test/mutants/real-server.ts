import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type * as conformance from 'signalbox/conformance';
import type { Harness } from 'signalbox/conformance';
import ts from 'typescript';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Server } from '../servers/index.js';
import { mutated, type Species } from './mutant.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** On a machine that is busy with other tests. */
const longestMs = 240_000;

export interface Court<Driver> {
  readonly species: Species;
  /** Folders of the sources that a copy consists of. */
  readonly sources: readonly string[];
  /** Below `src/queue`: where the driver is got from. */
  readonly door: string;
  readonly driverOf: (module: Record<string, unknown>) => Driver;
  /** Cases of this driver's own, for what the suite cannot show. */
  readonly cases: Readonly<Record<string, (make: Driver, url: string, server: Server) => Promise<void>>>;
  readonly harness: (make: Driver, url: string, version: string) => Harness;
}

/**
 * The tests of the mutants of a driver, on a real server: each is judged by the cases that it names alone, since the suite of all
 * would take minutes for each. A copy without a change passes them, each mutant fails all that it names.
 */
export function proveOn<Driver>(server: () => Server, court: Court<Driver>): void {
  const { species, cases } = court;
  const folder = join(root, 'node_modules', '.cache', 'mutants', species.title.replaceAll(' ', '-'));
  const sources = court.sources.flatMap((part) =>
    readdirSync(join(root, part), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => `${part}/${file}`),
  );
  const killers = [...new Set(species.mutants.flatMap(({ killedBy }) => killedBy))];

  beforeAll(() => {
    rmSync(folder, { recursive: true, force: true });
    for (const file of sources) write(folder, `right/${file}`, readFileSync(join(root, file), 'utf8'));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
  }, longestMs);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Which of the cases fail on a copy of the code, and why. */
  async function judge(copy: string, ids: readonly string[]): Promise<Record<string, string>> {
    const at = (file: string): string => pathToFileURL(join(folder, copy, 'src/queue', file)).href;
    const { runConformance }: typeof conformance = await import(at('conformance/index.js'));
    const make = court.driverOf(await import(at(court.door)));
    const failed: Record<string, string> = {};
    await Promise.all(
      ids.map(async (id) => {
        const url = await server().freshUrl();
        const own = cases[id];
        if (own !== undefined) {
          await own(make, url, server()).catch((error: unknown) => {
            failed[id] = String(error);
          });
          return;
        }
        const { promises } = await runConformance(court.harness(make, url, server().version), { only: [id] });
        const [result] = promises.flatMap((each) => each.cases);
        if (result?.status !== 'passed')
          failed[id] = String(result?.error ?? result?.status ?? 'there is no such case');
      }),
    );
    return failed;
  }

  test(
    'a copy without a change passes the cases',
    async () => {
      expect(await judge('right', killers)).toEqual({});
    },
    longestMs,
  );

  for (const [index, mutant] of species.mutants.entries()) {
    test(
      `${mutant.name}: is killed by the cases that it names`,
      async () => {
        const copy = `mutant-${index}`;
        const changed = `src/queue/${mutant.file}`;
        const text = mutated(mutant, readFileSync(join(root, changed), 'utf8'));
        for (const file of sources) {
          if (file === changed) write(folder, `${copy}/${file}`, text);
          else link(folder, asJavaScript(file), copy);
        }

        const failed = await judge(copy, mutant.killedBy);

        expect(mutant.killedBy).not.toEqual([]);
        expect(Object.keys(failed).sort()).toEqual([...mutant.killedBy].sort());
      },
      longestMs,
    );
  }
}

function write(folder: string, file: string, source: string): void {
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
  });
  const path = join(folder, asJavaScript(file));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, outputText);
}

function link(folder: string, file: string, copy: string): void {
  const path = join(folder, copy, file);
  mkdirSync(dirname(path), { recursive: true });
  linkSync(join(folder, 'right', file), path);
}

function asJavaScript(file: string): string {
  return file.replace(/\.ts$/, '.js');
}
