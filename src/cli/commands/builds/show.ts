import type { Command } from 'commander';
import { buildIdSchema } from '../../../buildrunner/index.js';
import type { Build, BuildStore } from '../../../orchestrator/index.js';
import { QueueError } from '../../../queue/index.js';
import { buildRecordJson, buildRecordText } from '../../build-record.js';
import { colorsFor } from '../../colors.js';
import type { Cli } from '../../program.js';
import { writeJson } from '../../write-json.js';
import { addBuildFlags, type BuildFlags, withBuildStore } from './store.js';

export function addShow(parent: Command, { io }: Cli): void {
  const command = parent
    .command('show')
    .description('Prints a build: its request, what has happened to it and when, and what the runner said last.')
    .argument('<id>', 'its request id, or the build id that the runner gave it')
    .addHelpText('after', '\nExample:\n  $ signalbox builds show c6a93abd-2713-4d12-b76b-f6771968702f --json');
  addBuildFlags(command).action(async (id: string, flags: BuildFlags) => {
    const build = await withBuildStore(io, flags, ({ store }) => findBuild(store, id));
    if (build === null) {
      throw new QueueError(
        `cannot show build "${id}": none has this request id or build id; "signalbox builds" lists them`,
        { code: 'not-found' },
      );
    }
    if (flags.json) writeJson(io.stdout, { build: buildRecordJson(build) });
    else io.stdout.write(buildRecordText(build, colorsFor(io.stdout, io.env)));
  });
}

async function findBuild(store: BuildStore, id: string): Promise<Build | null> {
  const byRequest = await store.load(id.toLowerCase());
  if (byRequest !== null) return byRequest;
  const read = buildIdSchema.safeParse({ id });
  return read.success ? store.loadByBuildId(read.data) : null;
}
