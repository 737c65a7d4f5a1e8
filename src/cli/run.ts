import { CommanderError } from 'commander';
import { mistypedVariables } from './config/mistyped-variables.js';
import { exitCodes } from './exit-codes.js';
import { report } from './failure.js';
import type { CliIo } from './io.js';
import { printable } from './printable.js';
import { makeProgram } from './program.js';

/**
 * Runs one command and answers the process's exit code; never rejects. `argv` is what follows the program's
 * name. Resolves when everything that the command opened is closed again.
 */
export async function run(argv: readonly string[], io: CliIo): Promise<number> {
  let exitCode: number = exitCodes.ok;
  for (const { name, meant } of mistypedVariables(io.env))
    io.stderr.write(
      `signalbox: warning: the variable ${printable(name)} is none of ours, and not read; is ${meant.join(' or ')} meant?\n`,
    );
  try {
    const program = makeProgram(io, argv, (code) => {
      exitCode = code;
    });
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return usageExitCode(error);
    return report(error, io, argv);
  }
}

/** Help that was asked for is a result; help because no command was named, and everything else, is bad input. */
function usageExitCode(error: CommanderError): number {
  return error.exitCode === 0 ? exitCodes.ok : exitCodes.badInput;
}
