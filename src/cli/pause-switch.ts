import type { Command } from 'commander';
import type { Queue } from '../queue/index.js';
import { withQueue } from './backend.js';
import { addCommonFlags, type CommonFlags } from './flags.js';
import { onGroup } from './on-group.js';
import { printable } from './printable.js';
import type { Cli } from './program.js';
import { writeJson } from './write-json.js';

interface PauseSwitch {
  readonly name: 'pause' | 'resume';
  readonly description: string;
  /** How the group is afterwards. */
  readonly paused: boolean;
  readonly act: (queue: Queue, topic: string, group: string) => Promise<void>;
}

/** `pause` and `resume`: one argument more than they differ in. */
export function addPauseSwitch(program: Command, { io }: Cli, { name, description, paused, act }: PauseSwitch): void {
  const command = program
    .command(name)
    .description(description)
    .argument('<topic>', 'name of the topic')
    .argument('[group]', 'name of the group', 'default')
    .addHelpText('after', `\nExample:\n  $ signalbox ${name} jobs`);
  addCommonFlags(command).action(async (topic: string, group: string, flags: CommonFlags) => {
    await withQueue({ io, flags, topics: [] }, (queue) =>
      onGroup(queue, { verb: name, topic, group }, () => act(queue, topic, group)),
    );
    if (flags.json) writeJson(io.stdout, { topic, group, paused });
    else io.stdout.write(`group ${printable(group)} of ${printable(topic)} ${paused ? 'is paused' : 'flows'}\n`);
  });
}
