import { Refusal } from '../queue/driver.js';
import { tablePrefixFault } from './migration.js';

/** What `mysql://user:pass@host:3306/db?…` says. The password is in `connection` alone. */
export interface MysqlUrl {
  readonly connection: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: string;
    readonly database: string;
  };
  /** The options behind the question mark, each given once, as they stand there: who uses them says which there are. */
  readonly options: ReadonlyMap<string, string>;
}

/** Reads the URL of a MySQL or MariaDB database. Throws an `invalid` refusal that never shows the URL. */
export function readMysqlUrl(text: string): MysqlUrl {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null && /^(mysql|mariadb):/.test(text)) {
    throw unreadable('cannot be read: its port is none, or a special character stands in it as it is');
  }
  if (url === null || (url.protocol !== 'mysql:' && url.protocol !== 'mariadb:')) throw unreadable('is none of MySQL');
  const database = decoded(url.pathname.replace(/^\//, ''));
  if (url.hostname === '') throw unreadable('names no host');
  if (database === '' || database.includes('/')) throw unreadable('names no database, or more than one');
  if (url.port === '0') throw unreadable('names port 0');
  if (url.hash !== '') throw unreadable('has a #, which belongs to no part of it');
  const options = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    if (options.has(name)) throw unreadable(`has the option "${name}" twice`);
    options.set(name, value);
  }
  return {
    connection: {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? 3306 : Number(url.port),
      user: decoded(url.username),
      password: decoded(url.password),
      database,
    },
    options,
  };
}

/** What the URL of a queue says to those who use its database and no queue; undefined where it does not say. */
export interface MysqlTablesUrl {
  readonly connection: MysqlUrl['connection'] & { readonly ssl?: { readonly rejectUnauthorized: true } };
  readonly tablePrefix: string | undefined;
  /** Whether tables are made where there are none. */
  readonly createTables: boolean | undefined;
}

/** The last two are of the queue alone. */
const knownOptions: readonly string[] = ['tablePrefix', 'createTables', 'ssl', 'leaseMs', 'connections'];

/** Reads the URL of a queue for what stands beside it in the database: builds, migrations. Throws as `readMysqlUrl` does. */
export function readMysqlTablesUrl(text: string): MysqlTablesUrl {
  const { connection, options } = readMysqlUrl(text);
  const unknown = [...options.keys()].find((name) => !knownOptions.includes(name));
  if (unknown !== undefined) {
    throw new Refusal('invalid', `the URL has an unknown option "${unknown}"`, `there are ${knownOptions.join(', ')}`);
  }
  const tablePrefix = options.get('tablePrefix');
  const fault = tablePrefix === undefined ? null : tablePrefixFault(tablePrefix);
  if (fault !== null) throw new Refusal('invalid', `the table prefix "${tablePrefix}" ${fault}`, 'choose another one');
  const tls = truth(options, 'ssl') === true ? { ssl: { rejectUnauthorized: true } as const } : {};
  return { connection: { ...connection, ...tls }, tablePrefix, createTables: truth(options, 'createTables') };
}

function truth(options: ReadonlyMap<string, string>, name: string): boolean | undefined {
  const value = options.get(name);
  if (value === undefined) return undefined;
  if (value === 'true' || value === 'false') return value === 'true';
  throw new Refusal('invalid', `the option "${name}" of the URL is neither true nor false`, `write ${name}=true`);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw unreadable('has a % that begins no escape');
  }
}

function unreadable(what: string): Refusal {
  return new Refusal(
    'invalid',
    `the URL ${what}`,
    'write it as mysql://user:password@host:3306/database, with % escapes for special characters in the parts',
  );
}
