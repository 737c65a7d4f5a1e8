import { QueueError } from '../../queue/index.js';
import { type ConfigFile, readConfigFile } from './config-file.js';
import { flagName, type Setting, type Source } from './setting.js';
import { attributeOf } from './setting-option.js';
import { allSettings } from './settings.js';

/** Where a value was said; `name` is a flag, a variable, or the file's path. */
export interface Origin {
  readonly kind: 'flag' | 'environment' | 'file' | 'default';
  readonly name: string | null;
}

interface Found<Value> {
  readonly value: Value;
  readonly origin: Origin;
  /** Where it was said as well, and does not count. */
  readonly hides: readonly Origin[];
}

/** What a command was told, from everywhere. */
export interface Config {
  readonly file: ConfigFile | null;
  /** The value in force. Throws `invalid`, naming who said what is wrong. */
  get<Value>(setting: Setting<Value>): Value;
  find<Value>(setting: Setting<Value>): Found<Value>;
  /** Whether it was said at all. */
  isGiven(setting: Setting): boolean;
}

export interface ConfigSources {
  /** Of commander, parsed: by attribute. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where a file without a path is looked for. */
  readonly folder: string;
}

const operation = 'read the configuration';

/** Reads the file and answers what is in force: flag, environment, file, default. Rejects with `invalid` for a file that cannot be used. */
export async function readConfig({ flags, env, folder }: ConfigSources): Promise<Config> {
  const file = await readConfigFile(namedFile(flags, env), folder, allSettings);
  const find = <Value>(setting: Setting<Value>): Found<Value> => findIn(setting, flags, env, file);
  return {
    file,
    find,
    get: (setting) => find(setting).value,
    isGiven: (setting) => find(setting).origin.kind !== 'default',
  };
}

function namedFile(flags: ConfigSources['flags'], env: ConfigSources['env']) {
  if (typeof flags.config === 'string') return { path: flags.config, by: '--config' };
  return env.CONFIG_PATH ? { path: env.CONFIG_PATH, by: 'CONFIG_PATH' } : null;
}

interface Said<Value> {
  readonly value: Value;
  readonly origin: Origin;
}

function findIn<Value>(
  setting: Setting<Value>,
  flags: ConfigSources['flags'],
  env: ConfigSources['env'],
  file: ConfigFile | null,
): Found<Value> {
  const said: readonly Said<Value>[] = [
    ...inAgreement(
      setting.flags.flatMap((source) => {
        const value = flags[attributeOf(source.name)];
        return value === undefined
          ? []
          : [{ value: value as Value, origin: { kind: 'flag', name: flagName(source.name) } as const }];
      }),
    ),
    ...inAgreement(
      setting.environment.flatMap((source) => {
        const text = env[source.name];
        return text
          ? [{ value: readText(source, text), origin: { kind: 'environment', name: source.name } as const }]
          : [];
      }),
    ),
    ...(file?.values.has(setting.key)
      ? [{ value: file.values.get(setting.key) as Value, origin: { kind: 'file', name: file.path } as const }]
      : []),
  ];
  const [first, ...others] = said;
  if (first === undefined) return { value: setting.byDefault, origin: { kind: 'default', name: null }, hides: [] };
  return { ...first, hides: others.map(({ origin }) => origin) };
}

/** Two names of one thing, both used, must say the same: nobody could tell which one was meant. */
function inAgreement<Value>(said: readonly Said<Value>[]): readonly Said<Value>[] {
  const [first, ...others] = said;
  const other = others.find(({ value }) => value !== first?.value);
  if (first === undefined || other === undefined) return said;
  throw new QueueError(
    `cannot ${operation}: ${first.origin.name} and ${other.origin.name} say different things about one setting; leave one of them out`,
    { code: 'invalid' },
  );
}

/** Not the text itself in an error: it may be a password that stands in the wrong place. */
function readText<Value>({ name, text }: Source<Value>, given: string): Value {
  const read = text.safeParse(given);
  if (read.success) return read.data;
  throw new QueueError(
    `cannot ${operation}: ${name} ${read.error.issues[0]?.message ?? 'cannot be used'}; correct it, or unset it`,
    { code: 'invalid' },
  );
}
