import { type Command, Option } from 'commander';
import { z } from 'zod';
import {
  type Build,
  type BuildPage,
  type BuildState,
  type BuildStore,
  buildStates,
  maxPageSize,
} from '../../../orchestrator/index.js';
import { storeUrlOf } from '../../build-store-of.js';
import { buildJson, buildsTable } from '../../builds-report.js';
import { parsed } from '../../config/setting-option.js';
import { wholeNumberOption } from '../../flags.js';
import { missingText } from '../../own-folder.js';
import { printable } from '../../printable.js';
import type { Cli } from '../../program.js';
import { whileShowing } from '../../progress.js';
import { writeJson } from '../../write-json.js';
import { addBuildFlags, type BuildFlags, withBuildStore } from './store.js';

interface ListFlags extends BuildFlags {
  readonly state?: readonly BuildState[];
  readonly limit: number;
  readonly cursor?: string;
  readonly newest?: boolean;
}

export function addList(parent: Command, { io }: Cli): void {
  const command = parent
    .command('list', { isDefault: true })
    .description('Prints builds, oldest first; a page of the oldest, or of the newest.')
    .addOption(
      new Option('--state <state>', 'only those in this state; may be given again')
        .choices(buildStates)
        .argParser(oneMore),
    )
    .addOption(wholeNumberOption('--limit <n>', 'at most this many', 100, 1, 1_000))
    .option('--cursor <cursor>', 'where the page before ended')
    .addOption(new Option('--newest', 'the last page, for which all are read').conflicts('cursor'))
    .addHelpText('after', '\nExample:\n  $ signalbox builds list --state running --limit 20');
  addBuildFlags(command).action(async (flags: ListFlags) => {
    const { builds, next, config } = await withBuildStore(io, flags, async ({ store, config }) => ({
      ...(await (flags.newest
        ? whileShowing(io, 'reading all builds', newestOf(store, flags))
        : store.list({ statuses: flags.state, limit: flags.limit, cursor: flags.cursor ?? null }))),
      config,
    }));
    if (flags.json) return writeJson(io.stdout, { builds: builds.map(buildJson), next });
    if (builds.length === 0) return void io.stderr.write(`no builds${missingText(storeUrlOf(config))}\n`);
    io.stdout.write(buildsTable(io, builds, { wholeIds: true }));
    if (next !== null) io.stderr.write(`more: --cursor '${printable(next)}'\n`);
  });
}

/** Stores list from the oldest on, so the newest are what is left at the end. */
async function newestOf(store: BuildStore, { state, limit }: ListFlags): Promise<BuildPage> {
  let kept: readonly Build[] = [];
  for (let cursor: string | null = null; ; ) {
    const page: BuildPage = await store.list({ statuses: state, limit: maxPageSize, cursor });
    kept = [...kept, ...page.builds].slice(-limit);
    if (page.next === null) return { builds: kept, next: null };
    cursor = page.next;
  }
}

const stateSchema = z.enum(buildStates, `must be one of ${buildStates.join(', ')}`);

function oneMore(given: string, before: readonly BuildState[] = []): readonly BuildState[] {
  return [...before, parsed(stateSchema)(given)];
}
