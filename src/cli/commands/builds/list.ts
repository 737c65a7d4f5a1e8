import { type Command, Option } from 'commander';
import { z } from 'zod';
import { type BuildState, buildStates } from '../../../orchestrator/index.js';
import { buildJson, buildsTable } from '../../builds-report.js';
import { parsed } from '../../config/setting-option.js';
import { wholeNumberOption } from '../../flags.js';
import { printable } from '../../printable.js';
import type { Cli } from '../../program.js';
import { writeJson } from '../../write-json.js';
import { addBuildFlags, type BuildFlags, withBuildStore } from './store.js';

interface ListFlags extends BuildFlags {
  readonly state?: readonly BuildState[];
  readonly limit: number;
  readonly cursor?: string;
}

export function addList(parent: Command, { io }: Cli): void {
  const command = parent
    .command('list', { isDefault: true })
    .description('Prints builds, oldest first.')
    .addOption(
      new Option('--state <state>', 'only those in this state; may be given again')
        .choices(buildStates)
        .argParser(oneMore),
    )
    .addOption(wholeNumberOption('--limit <n>', 'at most this many', 100, 1, 1_000))
    .option('--cursor <cursor>', 'where the page before ended')
    .addHelpText('after', '\nExample:\n  $ signalbox builds list --state running --limit 20');
  addBuildFlags(command).action(async (flags: ListFlags) => {
    const { builds, next } = await withBuildStore(io, flags, ({ store }) =>
      store.list({ statuses: flags.state, limit: flags.limit, cursor: flags.cursor ?? null }),
    );
    if (flags.json) return writeJson(io.stdout, { builds: builds.map(buildJson), next });
    if (builds.length === 0) return void io.stderr.write('no builds\n');
    io.stdout.write(buildsTable(io, builds, { wholeIds: true }));
    if (next !== null) io.stderr.write(`more: --cursor '${printable(next)}'\n`);
  });
}

const stateSchema = z.enum(buildStates, `must be one of ${buildStates.join(', ')}`);

function oneMore(given: string, before: readonly BuildState[] = []): readonly BuildState[] {
  return [...before, parsed(stateSchema)(given)];
}
