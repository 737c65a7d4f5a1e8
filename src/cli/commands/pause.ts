import type { Command } from 'commander';
import { addPauseSwitch } from '../pause-switch.js';
import type { Cli } from '../program.js';

export function addPause(program: Command, cli: Cli): void {
  addPauseSwitch(program, cli, {
    name: 'pause',
    description:
      'Pauses a group: no process starts a message of it any more, until it is resumed. What is being worked on goes on, and nothing is lost.',
    paused: true,
    act: ({ admin }, topic, group) => admin.pause(topic, group),
  });
}
