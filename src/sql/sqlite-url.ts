import { Refusal } from '../queue/driver.js';
import { type SqliteTableOptions, sqliteTableOptions } from './sqlite-settings.js';

/** What may stand in the URL of a queue: `leaseMs` is the queue's alone. */
const known: readonly string[] = [...sqliteTableOptions.filter((name) => name !== 'path'), 'leaseMs'];

/**
 * Reads `sqlite:PATH?…`: the path as it is, absolute or from the working folder, with % escapes; `sqlite://` before an absolute
 * path is the same. Values are looked at by who uses them. Throws an `invalid` refusal for what is no such URL.
 */
export function readSqliteUrl(url: string): { readonly [name in keyof SqliteTableOptions | 'leaseMs']?: unknown } {
  const parts = /^sqlite:(?:\/\/(?=\/))?([^?]*)(?:\?(.*))?$/is.exec(url);
  if (parts === null) throw new Refusal('invalid', 'the URL is none of SQLite', 'write it as sqlite:PATH');
  const [, location = '', query = ''] = parts;
  if (location.startsWith('//')) {
    throw new Refusal(
      'invalid',
      'a sqlite URL has no host',
      'give a path: sqlite:queue.db, or sqlite:///var/lib/queue.db',
    );
  }
  if (url.includes('#')) {
    throw new Refusal('invalid', 'a sqlite URL has no part after a "#"', 'write one that belongs to the path as %23');
  }
  if (/^~(?:\/|$)/.test(location)) {
    throw new Refusal(
      'invalid',
      'the path begins with "~", which is no folder but a word of shells, and they leave it as it is behind "sqlite:"',
      'write the folder out, as "sqlite:$HOME/queue.db" does in a shell',
    );
  }
  const options: Record<string, unknown> = { path: decoded(location) };
  for (const [name, value] of new URLSearchParams(query)) {
    if (!known.includes(name)) {
      throw new Refusal(
        'invalid',
        `a sqlite URL has no option ${JSON.stringify(name)}`,
        `there are ${known.join(', ')}`,
      );
    }
    if (Object.hasOwn(options, name)) {
      throw new Refusal('invalid', `the URL has the option "${name}" twice`, 'leave one of them out');
    }
    options[name] = readValue(name, value);
  }
  return options;
}

function readValue(name: string, text: string): unknown {
  if (name === 'createTables') return text === 'true' ? true : text === 'false' ? false : text;
  return name.endsWith('Ms') ? Number(text) : text;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
