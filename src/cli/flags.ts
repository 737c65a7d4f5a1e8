import { type Command, Option } from 'commander';
import { type Config, readConfig } from './config/config.js';
import { wholeNumberText } from './config/setting.js';
import { addSettings, parsed } from './config/setting-option.js';
import { queueSettings } from './config/settings.js';
import type { CliIo } from './io.js';

/** What every command has. Flags of settings are read by `configOf` alone. */
export interface CommonFlags {
  readonly config?: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

/** `--queue` and what belongs to it, `--config`, `--json` and `--verbose`. */
export function addCommonFlags(command: Command): Command {
  return addOutputFlags(addSettings(addConfigFlag(command), queueSettings));
}

export function addConfigFlag(command: Command): Command {
  return command.option(
    '--config <file>',
    'a file of settings (default: signalbox.config.json, where there is one; CONFIG_PATH)',
  );
}

export function addOutputFlags(command: Command): Command {
  return command
    .option('--json', 'one JSON document on stdout, for programs')
    .option('--verbose', 'on an error, print its stack; log what happens to stderr');
}

/** What is in force for a command that was given these flags. */
export function configOf(io: CliIo, flags: CommonFlags): Promise<Config> {
  return readConfig({ flags: flags as Readonly<Record<string, unknown>>, env: io.env, folder: io.folder });
}

/** A number that is no setting: of this one command, and of this one call. */
export function wholeNumberOption(flag: string, help: string, byDefault: number, min: number, max: number): Option {
  return new Option(flag, help).default(byDefault).argParser(parsed(wholeNumberText(min, max)));
}
