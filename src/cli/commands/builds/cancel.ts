import type { Command } from 'commander';
import { noopRunner } from '../../../buildrunner/index.js';
import { createOrchestrator, hasEnded, orchestratorTopics } from '../../../orchestrator/index.js';
import { withQueue } from '../../backend.js';
import { buildRecordJson } from '../../build-record.js';
import { storeUrlOf } from '../../build-store-of.js';
import { missingText } from '../../own-folder.js';
import type { Cli } from '../../program.js';
import { requireDurable } from '../../require-durable.js';
import { writeJson } from '../../write-json.js';
import { existingBuild } from './existing-build.js';
import { addBuildFlags, type BuildFlags, withBuildStore } from './store.js';

interface CancelFlags extends BuildFlags {
  readonly reason?: string;
}

export function addCancel(parent: Command, { io }: Cli): void {
  const command = parent
    .command('cancel')
    .description(
      'Asks for a build to be cancelled: writes the wish into its record and sends a message, by which a running orchestrator carries it out. Does not wait for it.',
    )
    .argument('<id>', 'its request id, or the build id that the runner gave it')
    .option('--reason <text>', 'why, for the record')
    .addHelpText(
      'after',
      '\nExample:\n  $ signalbox builds cancel c6a93abd-2713-4d12-b76b-f6771968702f --reason superseded',
    );
  addBuildFlags(command).action(async (id: string, flags: CancelFlags) => {
    const topics = orchestratorTopics();
    const build = await withBuildStore(io, flags, async ({ store, config }) => {
      // Before the queue is opened, which makes what is not there: nobody who looks in the wrong folder wants that.
      await existingBuild(store, 'cancel', id, missingText(storeUrlOf(config)));
      return withQueue({ io, flags, topics: Object.values(topics) }, async (queue) => {
        requireDurable('cancel a build', queue);
        // Never started, so that its runner is never asked: whoever serves the queue asks his own.
        const orchestrator = createOrchestrator({ queue, topics, store, runner: noopRunner() });
        return orchestrator.cancel(id, flags.reason);
      });
    });
    const requested = !hasEnded(build);
    if (flags.json) return writeJson(io.stdout, { requested, build: buildRecordJson(build) });
    if (requested) io.stdout.write(`asked to cancel ${build.requestId}, which is ${build.status}\n`);
    else
      io.stderr.write(
        `nothing to cancel: ${build.requestId} has ${build.status === 'cancelled' ? 'been ' : ''}${build.status}\n`,
      );
  });
}
