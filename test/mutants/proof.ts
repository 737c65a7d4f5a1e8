import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import type { Mutant, Species } from './mutant.js';
import { Workshop } from './workshop.js';

/** `MUTANTS=write npm test -- test/mutants` writes down what kills each mutant instead of demanding it. */
const writing = process.env.MUTANTS === 'write';

/**
 * Whether each mutant is judged by the whole suite. That the cases it names kill it is what keeps the suite sharp, and takes a
 * tenth of the time; that no other does is for whoever changes a case, and for the workflow: SIGNALBOX_TEST_SLOW=1.
 */
const byAll = writing || process.env.SIGNALBOX_TEST_SLOW !== undefined;

/**
 * The tests of one species: the suite passes on the code as it is, and on each mutant those cases fail that it names (and, by
 * all, exactly those: without them it would live).
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

    if (!byAll) test.skip('each is killed by no case that it does not name: run with SIGNALBOX_TEST_SLOW=1');
    for (const mutant of species.mutants) {
      test(`${mutant.name}: is killed by the cases that it names${byAll ? ', and by no other' : ''}`, async () => {
        const { failed } = await workshop.inspect(mutant, byAll ? null : mutant.killedBy);

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
