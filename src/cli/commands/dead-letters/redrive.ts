import type { Command } from 'commander';
import { withQueue } from '../../backend.js';
import { onGroup } from '../../on-group.js';
import type { Cli } from '../../program.js';
import { whileShowing } from '../../progress.js';
import { writeJson } from '../../write-json.js';
import { addLetterFlags, checkAllFound, type SelectionFlags, selectionOf } from './flags.js';

export function addRedrive(parent: Command, { io }: Cli): void {
  const command = parent
    .command('redrive')
    .description('Sends dead letters back to their group, to be tried from the start; prints how many.')
    .argument('<topic>', 'name of the topic')
    .argument('[ids...]', 'ids of the messages')
    .option('--all', 'all that are there')
    .addHelpText('after', '\nExample:\n  $ signalbox dead-letters redrive jobs --all');
  addLetterFlags(command).action(async (topic: string, ids: readonly string[], flags: SelectionFlags) => {
    const operation = `redrive dead letters of "${topic}"`;
    const selection = selectionOf(operation, ids, flags.all);
    const redriven = await withQueue({ io, flags, topics: [] }, (queue) =>
      onGroup(queue, { verb: 'redrive dead letters of', topic, group: flags.group }, () =>
        whileShowing(io, 'redriving dead letters', queue.admin.deadLetters(topic, flags.group).redrive(selection)),
      ),
    );
    if (flags.json) writeJson(io.stdout, { redriven });
    else io.stdout.write(`${redriven} redriven\n`);
    checkAllFound('redrive', selection, redriven);
  });
}
