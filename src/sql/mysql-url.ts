import { Refusal } from '../queue/driver.js';

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
  if (url === null || (url.protocol !== 'mysql:' && url.protocol !== 'mariadb:')) throw unreadable('is none of MySQL');
  const database = decoded(url.pathname.replace(/^\//, ''));
  if (url.hostname === '') throw unreadable('names no host');
  if (database === '' || database.includes('/')) throw unreadable('names no database, or more than one');
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
