import { describe, expect, test } from 'vitest';
import { amqpMutants } from './amqp-mutants.js';
import { memoryMutants } from './memory-mutants.js';
import type { Mutant, Species } from './mutant.js';
import { mysqlMutants } from './mysql-mutants.js';
import { portableMutants } from './portable-mutants.js';

const all = [memoryMutants, portableMutants, mysqlMutants, amqpMutants];

// `npm test -- test/mutants/table.test.ts -u` writes it.
describe('docs/mutants.md', () => {
  test('lists each mutant with what kills it', async () => {
    await expect(tableOf(all)).toMatchFileSnapshot('../../docs/mutants.md');
  });
});

describe('the mutants', () => {
  test.each(all)('of the $title have names of their own', ({ mutants }) => {
    const names = mutants.map(({ name }) => name);

    expect(new Set(names).size).toBe(names.length);
  });
});

function tableOf(species: readonly Species[]): string {
  return `# Mutants

What the conformance suite is worth: wrong variants of the code, each a small change of its text, and the cases that
notice. \`test/mutants\` makes them and runs on each the cases named here: they fail on it. With SIGNALBOX_TEST_SLOW=1, as the
workflow does, it runs the whole suite on each: all others pass, so that without them it would live. A case that newly notices one,
or does no more, makes that test fail:
\`MUTANTS=write npm test -- test/mutants\` writes down what it found, and \`npm test -- test/mutants/table.test.ts -u\` this page.

Those of the MySQL and RabbitMQ drivers are judged on a real MariaDB and a real RabbitMQ 4, by the named cases alone; some of these
are the driver's own (\`test/mutants/mysql-cases.ts\`, \`test/mutants/amqp-cases.ts\`).

${species.map(sectionOf).join('\n')}`;
}

function sectionOf({ title, mutants }: Species): string {
  return `## The ${title}: ${mutants.length}

| it | in | killed by |
|---|---|---|
${mutants.map(rowOf).join('\n')}
`;
}

function rowOf({ name, file, killedBy }: Mutant): string {
  return `| ${name} | ${file} | ${killedBy.join('<br>')} |`;
}
