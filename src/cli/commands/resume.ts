import type { Command } from 'commander';
import { addPauseSwitch } from '../pause-switch.js';
import type { Cli } from '../program.js';

export function addResume(program: Command, cli: Cli): void {
  addPauseSwitch(program, cli, {
    name: 'resume',
    description: 'Lets a paused group flow again, at once.',
    paused: false,
    act: ({ admin }, topic, group) => admin.resume(topic, group),
  });
}
