import type { Command } from 'commander';
import { schemaFault } from '../../sql/schema-fault.js';
import type { SchemaStatus } from '../../sql/schema-status.js';
import { colorsFor } from '../colors.js';
import { queueUrlOf } from '../config/foreign-names.js';
import { exitCodes } from '../exit-codes.js';
import { addCommonFlags, type CommonFlags, configOf } from '../flags.js';
import { printable } from '../printable.js';
import type { Cli } from '../program.js';
import { whileShowing } from '../progress.js';
import { schemasOf } from '../schemas.js';
import { type Column, tableOf } from '../table.js';
import { writeJson } from '../write-json.js';

interface MigrateFlags extends CommonFlags {
  readonly status?: boolean;
}

/** A schema as it stands at the end of the command, and an entry of its JSON. */
interface SchemaLine extends SchemaStatus {
  readonly state: 'current' | 'older' | 'newer';
  /** Steps that this command ran. */
  readonly ran: readonly string[];
}

export function addMigrate(program: Command, cli: Cli): void {
  const command = program
    .command('migrate')
    .description(
      "Brings the tables of a database up to this release: the queue's and those of the builds. Safe to run again, and from several places at once.",
    )
    .option(
      '--status',
      'change nothing; print what has run and what is missing, with exit code 4 unless all is current',
    )
    .addHelpText(
      'after',
      '\nExample:\n  $ signalbox migrate --queue mysql://app:secret@db.example.org/builds --status',
    );
  addCommonFlags(command).action((flags: MigrateFlags) => runMigrate(cli, flags));
}

async function runMigrate({ io, exitWith }: Cli, flags: MigrateFlags): Promise<void> {
  const schemas = await schemasOf(queueUrlOf(await configOf(io, flags)));
  try {
    const ran = flags.status ? null : await whileShowing(io, 'migrating', schemas.migrate());
    const lines = (await schemas.statuses()).map((status) => lineOf(status, ran?.get(status.list) ?? []));
    if (flags.json) writeJson(io.stdout, { backend: schemas.backend, schemas: lines });
    else io.stdout.write(tableOf(columns, lines.flatMap(stepsOf), io.stdout, colorsFor(io.stdout, io.env)));
    for (const fault of lines.map(schemaFault)) {
      if (fault === null) continue;
      io.stderr.write(`${fault.subject}; ${fault.remedy}\n`);
      exitWith(exitCodes.backend);
    }
  } finally {
    await schemas.close();
  }
}

function lineOf(status: SchemaStatus, ran: readonly string[]): SchemaLine {
  return { ...status, state: schemaFault(status)?.kind ?? 'current', ran };
}

interface StepLine {
  readonly schema: string;
  readonly step: string;
  readonly state: string;
}

function stepsOf({ list, applied, pending, unknown, ran }: SchemaLine): readonly StepLine[] {
  const line = (step: string, state: string): StepLine => ({ schema: list, step, state });
  return [
    ...applied.map(({ name, appliedAt }) => line(name, ran.includes(name) ? 'applied now' : `applied ${appliedAt}`)),
    ...pending.map((name) => line(name, 'missing')),
    ...unknown.map((name) => line(name, 'of a newer release')),
  ];
}

const columns: readonly Column<StepLine>[] = [
  { head: 'schema', text: ({ schema }) => schema },
  { head: 'step', text: ({ step }) => printable(step) },
  { head: 'state', text: ({ state }) => printable(state) },
];
