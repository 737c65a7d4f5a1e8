import { z } from 'zod';

/** One thing that can be said of how commands work, wherever it is said. */
export interface Setting<Value = unknown> {
  /** In the file; a dot leads into an object. */
  readonly key: string;
  readonly help: string;
  /** Such as `--queue <url>`; the first is the one to show. */
  readonly flags: readonly Source<Value>[];
  /** Names of variables; the first is the one to show. */
  readonly environment: readonly Source<Value>[];
  /** As the file has it. */
  readonly json: z.ZodType<Value>;
  readonly byDefault: Value;
  /** The default in words, where the value says too little. */
  readonly defaultText: string | null;
  /** As it may be printed: without secrets. */
  shown(value: Value): string | number | boolean | null;
}

export interface Source<Value> {
  readonly name: string;
  /** Reads what a shell gives. A text of `choices` is taken as it is. */
  readonly text: z.ZodType<Value, string>;
  readonly choices: readonly string[] | null;
}

/** `--queue` of `--queue <url>`. */
export function flagName(flag: string): string {
  return flag.split(' ')[0] ?? flag;
}

/** What all kinds of settings are made from. */
export interface SettingFacts {
  readonly key: string;
  readonly help: string;
  readonly flags: readonly string[];
  readonly environment: readonly string[];
}

const thirtyDaysMs = 30 * 24 * 60 * 60 * 1_000;

export function textSetting<Value extends string | null>(
  facts: SettingFacts & { readonly defaultText?: string },
  schema: z.ZodType<string, string>,
  byDefault: Value,
  shown: (value: string) => string = String,
): Setting<string | Value> {
  return {
    ...facts,
    flags: sources(facts.flags, schema),
    environment: sources(facts.environment, schema),
    json: schema,
    byDefault,
    defaultText: facts.defaultText ?? null,
    shown: (value) => (value === null ? null : shown(value)),
  };
}

export function choiceSetting<const Choice extends string>(
  facts: SettingFacts,
  choices: readonly Choice[],
  byDefault: NoInfer<Choice>,
): Setting<Choice> {
  const schema = z.enum(choices, `must be one of ${choices.join(', ')}`);
  return {
    ...facts,
    flags: sources(facts.flags, schema, choices),
    environment: sources(facts.environment, schema),
    json: schema,
    byDefault,
    defaultText: null,
    shown: (value) => value,
  };
}

export function wholeNumberSetting<Value extends number | null>(
  facts: SettingFacts & { readonly defaultText?: string },
  { min, max }: { readonly min: number; readonly max: number },
  byDefault: Value,
): Setting<number | Value> {
  const text = wholeNumberText(min, max);
  return {
    ...facts,
    flags: sources(facts.flags, text),
    environment: sources(facts.environment, text),
    json: wholeNumber(min, max),
    byDefault,
    defaultText: facts.defaultText ?? null,
    shown: (value) => value,
  };
}

/** A time span that has to be at least 1 ms. */
export function millisecondsSetting(facts: SettingFacts, byDefault: number): Setting<number> {
  return wholeNumberSetting(facts, { min: 1, max: thirtyDaysMs }, byDefault);
}

/** On, off, or whatever the default is. */
export function switchSetting(facts: SettingFacts & { readonly defaultText: string }): Setting<boolean | null> {
  const words: Readonly<Record<string, boolean>> = { 1: true, true: true, 0: false, false: false };
  const text = z
    .string()
    .refine((given) => Object.hasOwn(words, given), 'must be 1, 0, true or false')
    .transform((given) => words[given] === true);
  return {
    ...facts,
    flags: sources(facts.flags, text),
    environment: sources(facts.environment, text),
    json: z.boolean('must be true or false'),
    byDefault: null,
    shown: (value) => value,
  };
}

function sources<Value>(
  names: readonly string[],
  text: z.ZodType<Value, string>,
  choices: readonly string[] | null = null,
): readonly Source<Value>[] {
  return names.map((name) => ({ name, text, choices }));
}

function wholeNumber(min: number, max: number) {
  const text = `must be a whole number from ${min} to ${max}`;
  return z.int(text).min(min, text).max(max, text);
}

/** By pattern first: Number('') is 0, and Number('1e3') or '0x10' are seldom meant. */
export function wholeNumberText(min: number, max: number): z.ZodType<number, string> {
  return z
    .string()
    .regex(/^\d{1,15}$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .pipe(wholeNumber(min, max));
}
