import type { Command } from 'commander';
import { buildRecordJson, buildRecordText } from '../../build-record.js';
import { storeUrlOf } from '../../build-store-of.js';
import { colorsFor } from '../../colors.js';
import { missingText } from '../../own-folder.js';
import type { Cli } from '../../program.js';
import { writeJson } from '../../write-json.js';
import { existingBuild } from './existing-build.js';
import { addBuildFlags, type BuildFlags, withBuildStore } from './store.js';

export function addShow(parent: Command, { io }: Cli): void {
  const command = parent
    .command('show')
    .description('Prints a build: its request, what has happened to it and when, and what the runner said last.')
    .argument('<id>', 'its request id, or the build id that the runner gave it')
    .addHelpText('after', '\nExample:\n  $ signalbox builds show c6a93abd-2713-4d12-b76b-f6771968702f --json');
  addBuildFlags(command).action(async (id: string, flags: BuildFlags) => {
    const build = await withBuildStore(io, flags, ({ store, config }) =>
      existingBuild(store, 'show', id, missingText(storeUrlOf(config))),
    );
    if (flags.json) writeJson(io.stdout, { build: buildRecordJson(build) });
    else io.stdout.write(buildRecordText(build, colorsFor(io.stdout, io.env)));
  });
}
