import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import type { Mutant, Species } from './mutant.js';
import { Workshop } from './workshop.js';

/** `MUTANTS=write npm test -- test/mutants` writes down what kills each mutant instead of demanding it. */
const writing = process.env.MUTANTS === 'write';

/**
 * The tests of one species: the suite passes on the code as it is, and on each mutant exactly those cases
 * fail that it names. So each of them kills it, and without them it would live.
 */
export function proveThatEachDies(species: Species, file: string): void {
  describe(`mutants of the ${species.title}`, () => {
    const workshop = new Workshop(species.title.replaceAll(' ', '-'));
    afterAll(() => workshop[Symbol.asyncDispose]());

    test('a copy without a change passes everything', async () => {
      const { failed, passed } = await workshop.inspectRight();

      expect(failed).toEqual({});
      expect(passed).toBeGreaterThan(100);
    });

    for (const mutant of species.mutants) {
      test(`${mutant.name}: is killed by the cases that it names, and by no other`, async () => {
        const { failed } = await workshop.inspect(mutant);

        const killers = Object.keys(failed);
        if (writing) writeKillers(file, mutant, killers);
        else expect([...killers].sort()).toEqual([...mutant.killedBy].sort());
        expect(killers, 'no case kills it: the suite has a gap, or the mutant breaks no promise').not.toEqual([]);
      }, 60_000);
    }
  });
}

function writeKillers(file: string, { name }: Mutant, killers: readonly string[]): void {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const text = readFileSync(path, 'utf8');
  const at = Math.max(text.indexOf(`name: '${name}',`), text.indexOf(`name: ${JSON.stringify(name)},`));
  const listAt = text.indexOf('killedBy: [', at);
  const endAt = text.indexOf(']', listAt);
  if (at < 0 || listAt < 0) throw new Error(`${file} has no mutant called '${name}' with a list of killers`);
  const list = `killedBy: [${killers.map((id) => `'${id}'`).join(', ')}`;
  writeFileSync(path, text.slice(0, listAt) + list + text.slice(endAt));
}
