import { readFileSync } from 'node:fs';
import { Command, type CommanderError } from 'commander';
import { addBuilds } from './commands/builds.js';
import { addConfig } from './commands/config.js';
import { addConformance } from './commands/conformance.js';
import { addDeadLetters } from './commands/dead-letters.js';
import { addDemo } from './commands/demo.js';
import { addEnqueue } from './commands/enqueue.js';
import { addMigrate } from './commands/migrate.js';
import { addMove } from './commands/move.js';
import { addOrchestrate } from './commands/orchestrate.js';
import { addPause } from './commands/pause.js';
import { addResume } from './commands/resume.js';
import { addTail } from './commands/tail.js';
import { addTopics } from './commands/topics.js';
import { addTopology } from './commands/topology.js';
import { exitCodesHelp } from './exit-codes.js';
import type { CliIo } from './io.js';
import { printable } from './printable.js';
import { withoutFlagValues } from './without-passwords.js';

/** What a command is given besides its flags. */
export interface Cli {
  readonly io: CliIo;
  /** The exit code of a command that ended without an error. Default: 0. */
  readonly exitWith: (code: number) => void;
}

/** In the order in which help lists them. */
const commands: readonly ((program: Command, cli: Cli) => void)[] = [
  addDemo,
  addOrchestrate,
  addEnqueue,
  addBuilds,
  addTopics,
  addPause,
  addResume,
  addTail,
  addMove,
  addTopology,
  addDeadLetters,
  addConfig,
  addMigrate,
  addConformance,
];

const defaultWidth = 100;

/** All commands and their flags, for a call with `argv`. Throws `CommanderError` on misuse, after saying in one line what is wrong. */
export function makeProgram(io: CliIo, argv: readonly string[], exitWith: (code: number) => void): Command {
  const program = new Command('signalbox')
    .description('Puts build requests on a queue, polls their builds through it to the end, and looks after the queue.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      outputError: () => {}, // `failAsOneLine` says it
      getOutHelpWidth: () => io.stdout.columns ?? defaultWidth,
      getErrHelpWidth: () => io.stderr.columns ?? defaultWidth,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText('after', '\nExample:\n  $ signalbox demo')
    .addHelpText('afterAll', exitCodesHelp());
  const cli: Cli = { io, exitWith };
  for (const add of commands) add(program, cli);
  failAsOneLine(program, 'signalbox', io, argv);
  return program;
}

function failAsOneLine(command: Command, path: string, io: CliIo, argv: readonly string[]): void {
  command.exitOverride((error: CommanderError) => {
    if (error.exitCode !== 0 && error.code !== 'commander.help') {
      const what = printable(
        withoutFlagValues(error.message, argv)
          .replace(/^error: /, '')
          .replace(/\s*\n\s*/g, ' ')
          .replace(/\.$/, ''),
      );
      io.stderr.write(`signalbox: cannot run "${path}": ${what}; see "${path} --help"\n`);
    }
    throw error;
  });
  for (const child of command.commands) failAsOneLine(child, `${path} ${child.name()}`, io, argv);
}

function packageVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
