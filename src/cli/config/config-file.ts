import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { QueueError } from '../../queue/index.js';
import type { Setting } from './setting.js';

/** What a file says, by the keys of the settings. */
export interface ConfigFile {
  /** As it was named. */
  readonly path: string;
  readonly values: ReadonlyMap<string, unknown>;
}

export const defaultConfigName = 'signalbox.config.json';

/**
 * Reads the file of settings: the one that is named (`namedBy` says where), which must be there, or else
 * `signalbox.config.json` of the folder, where there is one. Rejects with `invalid`, naming the file, the key and what to do.
 */
export async function readConfigFile(
  named: { readonly path: string; readonly by: string } | null,
  folder: string,
  settings: readonly Setting[],
): Promise<ConfigFile | null> {
  const path = named?.path ?? defaultConfigName;
  const text = await textOf(join0(folder, path), path, named?.by ?? null);
  if (text === null) return null;
  return { path, values: valuesOf(path, text, settings) };
}

function join0(folder: string, path: string): string {
  return path.startsWith('/') ? path : join(folder, path);
}

/** Null where there is no file and none was asked for. */
async function textOf(place: string, path: string, namedBy: string | null): Promise<string | null> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(place));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' && namedBy === null) return null;
    const remedy = namedBy === null ? 'mend it, or take it away' : `mend it, or give ${namedBy} another file`;
    throw new QueueError(
      `cannot read the configuration "${path}": ${reasons[code ?? ''] ?? `reading it failed (${code})`}; ${remedy}`,
      {
        code: 'invalid',
        cause,
      },
    );
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'it may not be read',
  EPERM: 'it may not be read',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'it is no UTF-8 text',
};

function valuesOf(path: string, text: string, settings: readonly Setting[]): ReadonlyMap<string, unknown> {
  const read = schemaOf(settings).safeParse(documentOf(path, text));
  if (!read.success) {
    const faults = read.error.issues.flatMap((issue) => faultsOf(issue, settings));
    throw new QueueError(`cannot read the configuration "${path}": ${faults.join('; ')}`, { code: 'invalid' });
  }
  const values = new Map<string, unknown>();
  for (const { key } of settings) {
    const value = key
      .split('.')
      .reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], read.data);
    if (value !== undefined) values.set(key, value);
  }
  return values;
}

function documentOf(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // The parser's own message quotes what it read, which may be a password. Where it tells the place, that is said.
    const at = /position (\d+)/.exec(String(cause))?.[1];
    const where = at === undefined ? '' : ` (line ${text.slice(0, Number(at)).split('\n').length})`;
    throw new QueueError(
      `cannot read the configuration "${path}": it is no JSON${where}; write one object, with double quotes and without comments or trailing commas`,
      { code: 'invalid' },
    );
  }
}

/** `$schema` is for editors. */
function schemaOf(settings: readonly Setting[]): z.ZodType {
  const shape: Record<string, z.ZodType> = { $schema: z.string('must be a text').optional() };
  const inner: Record<string, Record<string, z.ZodType>> = {};
  for (const { key, json } of settings) {
    const [first = '', second] = key.split('.');
    if (second === undefined) shape[first] = json.optional();
    else {
      inner[first] ??= {};
      (inner[first] as Record<string, z.ZodType>)[second] = json.optional();
    }
  }
  for (const [name, innerShape] of Object.entries(inner))
    shape[name] = z.strictObject(innerShape, 'must be an object').optional();
  return z.strictObject(shape, 'must be an object of settings');
}

function faultsOf(issue: z.core.$ZodIssue, settings: readonly Setting[]): readonly string[] {
  if (issue.code !== 'unrecognized_keys') {
    const at = issue.path.length === 0 ? 'what it holds' : `"${issue.path.join('.')}"`;
    return [`${at} ${issue.message}; correct it`];
  }
  const place = issue.path.map((name) => `${String(name)}.`).join('');
  const known = settings.map(({ key }) => key).filter((key) => key.startsWith(place));
  return issue.keys.map(
    (key) => `"${place}${key}" is no setting; correct its name or take it out: there are ${known.join(', ')}`,
  );
}
