import type { Command } from 'commander';
import { QueueError } from '../../queue/index.js';
import { checkStoreUrl, storeUrlOf } from '../build-store-of.js';
import { colorsFor } from '../colors.js';
import type { Config, Origin } from '../config/config.js';
import { defaultConfigName } from '../config/config-file.js';
import { foreignValueOf, queueUrlOf } from '../config/foreign-names.js';
import type { Setting } from '../config/setting.js';
import { addSettings } from '../config/setting-option.js';
import { allSettings, settings } from '../config/settings.js';
import { addConfigFlag, addOutputFlags, type CommonFlags, configOf } from '../flags.js';
import type { CliIo } from '../io.js';
import { printable } from '../printable.js';
import type { Cli } from '../program.js';
import { type Column, tableOf } from '../table.js';
import { writeJson } from '../write-json.js';

/** A setting as it is in force, and an entry of the JSON. */
interface SettingLine {
  readonly setting: string;
  readonly value: string | number | boolean | null;
  readonly from: Origin['kind'];
  /** The flag, the variable or the file; null for a default. */
  readonly source: string | null;
  /** What says something else, or the same, and does not count. */
  readonly hides: readonly string[];
}

export function addConfig(program: Command, { io }: Cli): void {
  const command = program
    .command('config')
    .description(
      'Prints every setting that is in force and where its value came from: flag, environment, file or default. Passwords are shown as ***. Nothing is connected.',
    )
    .addHelpText('after', '\nExample:\n  $ signalbox config --queue mysql://app:secret@db.example.org/builds');
  addOutputFlags(addSettings(addConfigFlag(command), allSettings)).action(async (flags: CommonFlags) => {
    const config = await configOf(io, flags);
    await checkUrls(config, io);
    const lines = allSettings.map((setting) => lineOf(setting, config));
    if (flags.json) return writeJson(io.stdout, { file: config.file?.path ?? null, settings: lines });
    io.stdout.write(tableOf(columns, lines.map(inWords), io.stdout, colorsFor(io.stdout, io.env)));
    if (config.file === null) io.stderr.write(`no file of settings: there is no ${defaultConfigName} here\n`);
  });
}

/** A URL that nothing understands is refused here as by every command that would use it. Nothing is opened. */
async function checkUrls(config: Config, io: CliIo): Promise<void> {
  await io.connect(queueUrlOf(config)).catch((error: unknown) => {
    // What is not installed here may be where the command runs that will need it.
    if (!(error instanceof QueueError && error.code === 'unsupported')) throw error;
  });
  checkStoreUrl(storeUrlOf(config));
}

function lineOf(setting: Setting, config: Config): SettingLine {
  const { value, origin, hides } = config.find(setting);
  return {
    setting: setting.key,
    value: setting.shown(inForce(setting, value, config)),
    from: origin.kind,
    source: origin.name,
    hides: hides.map(({ name }) => name ?? ''),
  };
}

/** A value that stands for "it depends" says on what. */
function inWords(line: SettingLine): SettingLine {
  if (line.value !== null) return line;
  return { ...line, value: allSettings.find(({ key }) => key === line.setting)?.defaultText ?? '-' };
}

/** What a default that depends on something else comes to. */
function inForce(setting: Setting, value: unknown, config: Config): unknown {
  if (setting.key === settings.store.key) return storeUrlOf(config);
  if (setting.key === settings.queue.key) return queueUrlOf(config);
  return foreignValueOf(setting.key, config) ?? value;
}

const columns: readonly Column<SettingLine>[] = [
  { head: 'setting', text: ({ setting }) => setting },
  { head: 'value', text: ({ value }) => printable(String(value)), narrow: 'wrap' },
  { head: 'from', text: ({ source, from }) => printable(source ?? from), narrow: 'wrap' },
  { head: 'hides', text: ({ hides }) => printable(hides.join(', ')), narrow: 'wrap', expendable: 1 },
];
