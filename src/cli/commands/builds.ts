import type { Command } from 'commander';
import type { Cli } from '../program.js';
import { addCancel } from './builds/cancel.js';
import { addList } from './builds/list.js';
import { addShow } from './builds/show.js';

export function addBuilds(program: Command, cli: Cli): void {
  const command = program
    .command('builds')
    .description('Looks at the builds that orchestrators keep, and cancels them. Alone it lists them.')
    .addHelpText(
      'after',
      '\nExamples:\n  $ signalbox builds\n  $ signalbox builds --state running --state accepted\n  $ signalbox builds cancel 5d6efc96-5b6c-4f0c-9f43-6a1d6d1c2a10',
    );
  for (const add of [addList, addShow, addCancel]) add(command, cli);
}
