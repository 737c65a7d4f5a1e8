import type { Kysely } from 'kysely';
import type { ConnectionOptions, Pool } from 'mysql2';
import type { Pool as PromisePool } from 'mysql2/promise';
import { defaultTablePrefix, tablePrefixFault } from '../../sql/migration.js';
import { readMysqlUrl } from '../../sql/mysql-url.js';
import { QueueError } from '../driver.js';

/** Where the database is: exactly one of the four. */
export type MysqlSource =
  | { readonly url: string; readonly connection?: never; readonly pool?: never; readonly kysely?: never }
  /** As mysql2's `createConnection` takes them. */
  | { readonly connection: ConnectionOptions; readonly url?: never; readonly pool?: never; readonly kysely?: never }
  /** The application's own pool. It is only read: the driver makes its own connections to the same place, with its own settings. */
  | { readonly pool: Pool | PromisePool; readonly url?: never; readonly connection?: never; readonly kysely?: never }
  /** The application's own Kysely instance on MySQL. Lends the driver `connections` + 5 connections for as long as it is open. */
  // biome-ignore lint/suspicious/noExplicitAny: a Kysely of any database fits.
  | { readonly kysely: Kysely<any>; readonly url?: never; readonly connection?: never; readonly pool?: never };

export interface MysqlSettings {
  /** In front of the names of all tables. Default: `signalbox_`. */
  readonly tablePrefix?: string | undefined;
  /** How long a hand-out is kept for its holder unless extended, in milliseconds. Default: 30 000. */
  readonly leaseMs?: number | undefined;
  /** Connections for publishing and administration, beside five that each have one job. Default: 4. */
  readonly connections?: number | undefined;
  /** Whether tables are made where there are none. Default: true. Existing tables are changed by `signalbox migrate` alone. */
  readonly createTables?: boolean | undefined;
}

export type MysqlOptions = MysqlSource & MysqlSettings;

/** Options that were looked at: nothing is missing, nothing is left to refuse. */
export interface CheckedOptions {
  readonly source:
    | { readonly kind: 'connection'; readonly connection: ConnectionOptions }
    | { readonly kind: 'kysely'; readonly kysely: Kysely<unknown> };
  readonly tablePrefix: string;
  readonly leaseMs: number;
  readonly connections: number;
  readonly createTables: boolean;
}

const sources = ['url', 'connection', 'pool', 'kysely'] as const;
const settings = ['tablePrefix', 'leaseMs', 'connections', 'createTables'] as const;

/** Throws `invalid` for options that are unknown, missing, or cannot be, and never shows a URL. */
export function checkedOptions(options: unknown): CheckedOptions {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalid('the options are no object', "give an object such as { url: 'mysql://user:password@host/database' }");
  }
  const given = options as Record<string, unknown>;
  const known: readonly string[] = [...sources, ...settings];
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw invalid(`unknown option ${JSON.stringify(unknown)}`, `there are ${known.join(', ')}`);
  const named = sources.filter((name) => given[name] !== undefined);
  if (named.length !== 1) {
    const what = named.length === 0 ? 'nothing says where the database is' : `${named.join(' and ')} are both given`;
    throw invalid(what, `give one of ${sources.join(', ')}`);
  }
  if (given.url === undefined) return withSettings(sourceOf(given), given);
  if (typeof given.url !== 'string') throw invalid('url is no text', 'give mysql://user:password@host/database');
  const { connection, inUrl, ssl } = readUrl(given.url);
  const twice = settings.find((name) => given[name] !== undefined && inUrl[name] !== undefined);
  if (twice !== undefined) throw invalid(`${twice} is given in the URL and beside it`, 'leave one of them out');
  const tls = ssl ? { ssl: { rejectUnauthorized: true } } : {};
  return withSettings({ kind: 'connection', connection: { ...connection, ...tls } }, { ...inUrl, ...given });
}

function sourceOf({ connection, pool, kysely }: Record<string, unknown>): CheckedOptions['source'] {
  if (typeof connection === 'object' && connection !== null) {
    return { kind: 'connection', connection: connection as ConnectionOptions };
  }
  if (typeof pool === 'object' && pool !== null) return { kind: 'connection', connection: connectionOf(pool) };
  const { executeQuery, connection: lend } = (kysely ?? {}) as Partial<Kysely<unknown>>;
  if (typeof executeQuery === 'function' && typeof lend === 'function') {
    return { kind: 'kysely', kysely: kysely as Kysely<unknown> };
  }
  const remedy = 'give connection options of mysql2, a pool of mysql2 or mysql2/promise, or a Kysely instance';
  throw invalid('what says where the database is cannot be used', remedy);
}

/** Of the pool's configuration what leads to the same server as the same user; not what would change how statements are read. */
const connectionFields = [
  ...['host', 'port', 'localAddress', 'socketPath', 'user', 'password', 'password1', 'password2', 'password3'],
  ...[
    'passwordSha1',
    'database',
    'ssl',
    'connectTimeout',
    'stream',
    'authPlugins',
    'authSwitchHandler',
    'insecureAuth',
  ],
  ...['enableCleartextPlugin', 'enableKeepAlive', 'keepAliveInitialDelay', 'infileStreamFactory'],
];

function connectionOf(pool: object): ConnectionOptions {
  const inner = 'pool' in pool && typeof pool.pool === 'object' && pool.pool !== null ? pool.pool : pool;
  const { connectionConfig } = ((inner as { config?: unknown }).config ?? {}) as { connectionConfig?: object };
  if (typeof connectionConfig !== 'object') {
    throw invalid('pool is no pool of mysql2', 'give what createPool() answered, or connection options');
  }
  const fields = Object.entries(connectionConfig).filter(
    ([name, value]) => connectionFields.includes(name) && value !== undefined && value !== null,
  );
  return Object.fromEntries(fields) as ConnectionOptions;
}

/** As long as a delivery may be extended at once: what nobody answers for comes again within a day. */
const longestLeaseMs = 86_400_000;

function withSettings(source: CheckedOptions['source'], given: Record<string, unknown>): CheckedOptions {
  const { tablePrefix = defaultTablePrefix, leaseMs = 30_000, connections = 4, createTables = true } = given;
  if (typeof tablePrefix !== 'string') throw invalid('tablePrefix is no text', 'give letters, digits and underscores');
  const fault = tablePrefixFault(tablePrefix);
  if (fault !== null) throw invalid(`tablePrefix ${fault}`, 'choose another one');
  if (typeof leaseMs !== 'number' || !(leaseMs >= 1 && leaseMs <= longestLeaseMs)) {
    throw invalid('leaseMs is no time up to 24 hours', 'give milliseconds, at least 1, or leave it out for 30 000');
  }
  if (typeof connections !== 'number' || !Number.isInteger(connections) || connections < 1 || connections > 100) {
    throw invalid('connections is no number from 1 to 100', 'leave it out for 4');
  }
  if (typeof createTables !== 'boolean')
    throw invalid('createTables is neither true nor false', 'leave it out for true');
  return { source, tablePrefix, leaseMs: Math.ceil(leaseMs), connections, createTables };
}

interface ReadUrl {
  readonly connection: ConnectionOptions;
  readonly inUrl: Record<string, unknown>;
  readonly ssl: boolean;
}

function readUrl(url: string): ReadUrl {
  const { connection, options } = readMysqlUrl(url);
  const known: readonly string[] = [...settings, 'ssl'];
  const unknown = [...options.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw invalid(`the URL has an unknown option "${unknown}"`, `there are ${known.join(', ')}`);
  const inUrl: Record<string, unknown> = {};
  for (const [name, value] of options) if (name !== 'ssl') inUrl[name] = readOption(name, value);
  return { connection, inUrl, ssl: options.has('ssl') && truth('ssl', options.get('ssl') ?? '') };
}

function readOption(name: string, value: string): unknown {
  if (name === 'tablePrefix') return value;
  if (name === 'createTables') return truth(name, value);
  // What is no number is refused with what else cannot be.
  return /^\d+$/.test(value) ? Number(value) : Number.NaN;
}

function truth(name: string, value: string): boolean {
  if (value === 'true' || value === 'false') return value === 'true';
  throw invalid(`the option "${name}" of the URL is neither true nor false`, `write ${name}=true`);
}

function invalid(fault: string, remedy: string): QueueError {
  return new QueueError(`cannot make a mysql driver: ${fault}; ${remedy}`, { code: 'invalid', backend: 'mysql' });
}
