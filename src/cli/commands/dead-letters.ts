import type { Command } from 'commander';
import type { Cli } from '../program.js';
import { addList } from './dead-letters/list.js';
import { addPurge } from './dead-letters/purge.js';
import { addRedrive } from './dead-letters/redrive.js';
import { addShow } from './dead-letters/show.js';

export function addDeadLetters(program: Command, cli: Cli): void {
  const command = program
    .command('dead-letters')
    .description('Looks after the messages that a group gave up on.')
    .addHelpText('after', '\nExample:\n  $ signalbox dead-letters list jobs');
  for (const add of [addList, addShow, addRedrive, addPurge]) add(command, cli);
}
