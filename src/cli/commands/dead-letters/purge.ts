import type { Command } from 'commander';
import { QueueError } from '../../../queue/index.js';
import { withQueue } from '../../backend.js';
import { onGroup } from '../../on-group.js';
import type { Cli } from '../../program.js';
import { whileShowing } from '../../progress.js';
import { writeJson } from '../../write-json.js';
import { addLetterFlags, checkAllFound, type SelectionFlags, selectionOf } from './flags.js';

interface PurgeFlags extends SelectionFlags {
  readonly yes?: boolean;
}

export function addPurge(parent: Command, { io }: Cli): void {
  const command = parent
    .command('purge')
    .description('Deletes dead letters for good; prints how many.')
    .argument('<topic>', 'name of the topic')
    .argument('[ids...]', 'ids of the messages')
    .option('--all', 'all that are there')
    .option('--yes', 'yes, delete them')
    .addHelpText('after', '\nExample:\n  $ signalbox dead-letters purge jobs --all --yes');
  addLetterFlags(command).action(async (topic: string, ids: readonly string[], flags: PurgeFlags) => {
    const operation = `purge dead letters of "${topic}"`;
    const selection = selectionOf(operation, ids, flags.all);
    if (!flags.yes) {
      throw new QueueError(`cannot ${operation}: they would be gone for good; add --yes if you mean it`, {
        code: 'invalid',
      });
    }
    const purged = await withQueue({ io, flags, topics: [] }, (queue) =>
      onGroup(queue, { verb: 'purge dead letters of', topic, group: flags.group }, () =>
        whileShowing(io, 'purging dead letters', queue.admin.deadLetters(topic, flags.group).purge(selection)),
      ),
    );
    if (flags.json) writeJson(io.stdout, { purged });
    else io.stdout.write(`${purged} purged\n`);
    checkAllFound('purge', selection, purged);
  });
}
