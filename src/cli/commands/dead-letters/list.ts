import type { Command } from 'commander';
import type { DeadLetter } from '../../../queue/index.js';
import { withQueue } from '../../backend.js';
import { colorsFor } from '../../colors.js';
import { wholeNumberOption } from '../../flags.js';
import { onGroup } from '../../on-group.js';
import { printable } from '../../printable.js';
import type { Cli } from '../../program.js';
import { type Column, tableOf } from '../../table.js';
import { isoTime, writeJson } from '../../write-json.js';
import { addLetterFlags, type LetterFlags } from './flags.js';
import { letterJson } from './letter-json.js';

interface ListFlags extends LetterFlags {
  readonly limit: number;
  readonly cursor?: string;
}

export function addList(parent: Command, { io }: Cli): void {
  const command = parent
    .command('list')
    .description('Prints the dead letters of a group, oldest first, with their reasons.')
    .argument('<topic>', 'name of the topic')
    .addOption(wholeNumberOption('--limit <n>', 'at most this many', 100, 1, 1_000))
    .option('--cursor <cursor>', 'where the page before ended')
    .addHelpText('after', '\nExample:\n  $ signalbox dead-letters list jobs --limit 20');
  addLetterFlags(command).action(async (topic: string, flags: ListFlags) => {
    const { letters, next } = await withQueue({ io, flags, topics: [] }, (queue) =>
      onGroup(queue, { verb: 'list the dead letters of', topic, group: flags.group }, () =>
        queue.admin.deadLetters(topic, flags.group).list({ limit: flags.limit, cursor: flags.cursor }),
      ),
    );
    if (flags.json) return writeJson(io.stdout, { letters: letters.map(letterJson), next });
    if (letters.length === 0) return void io.stderr.write('no dead letters\n');
    io.stdout.write(tableOf(columns, letters, io.stdout, colorsFor(io.stdout, io.env)));
    if (next !== null) io.stderr.write(`more: --cursor '${printable(next)}'\n`);
  });
}

const columns: readonly Column<DeadLetter>[] = [
  { head: 'id', text: ({ id }) => printable(id) },
  { head: 'buried', text: ({ buriedAt }) => isoTime(buriedAt), expendable: 2 },
  { head: 'cause', text: ({ death }) => death?.cause ?? '-' },
  { head: 'attempt', text: ({ death }) => String(death?.attempt ?? '-'), align: 'right', expendable: 1 },
  { head: 'reason', text: ({ death }) => printable(death?.reason ?? '-'), narrow: 'wrap' },
];
