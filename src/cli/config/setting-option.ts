import { type Command, InvalidArgumentError, Option } from 'commander';
import type { z } from 'zod';
import { flagName, type Setting, type Source } from './setting.js';

/** Gives a command the flags of settings. Their defaults are not commander's: what is not said comes from elsewhere. */
export function addSettings(command: Command, settings: readonly Setting[]): Command {
  for (const setting of settings) {
    for (const [at, source] of setting.flags.entries()) command.addOption(optionOf(setting, source, at > 0));
  }
  return command;
}

/** The name under which commander answers a flag. */
export function attributeOf(flag: string): string {
  return new Option(flag).attributeName();
}

/** Checks what is given with a flag. */
export function parsed<Value>(text: z.ZodType<Value, string>): (given: string) => Value {
  return (given) => {
    const read = text.safeParse(given);
    if (read.success) return read.data;
    throw new InvalidArgumentError(`It ${read.error.issues[0]?.message ?? 'cannot be used'}`);
  };
}

function optionOf(setting: Setting, { name, text, choices }: Source<unknown>, isAlias: boolean): Option {
  const option = new Option(name, isAlias ? `the same as ${flagName(setting.flags[0]?.name ?? '')}` : helpOf(setting));
  if (choices !== null) return option.choices(choices);
  option.argParser(parsed(text));
  // Only a switch may stand without a value.
  return option.optional ? option.preset('1') : option;
}

function helpOf({ help, byDefault, defaultText, environment }: Setting): string {
  const standing = defaultText ?? (typeof byDefault === 'string' ? JSON.stringify(byDefault) : String(byDefault));
  return `${help} (default: ${standing}; ${environment.map(({ name }) => name).join(', ')})`;
}
