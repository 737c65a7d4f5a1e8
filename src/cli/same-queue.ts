import { lookup } from 'node:dns/promises';
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { defaultTablePrefix } from '../sql/migration.js';
import { readMysqlTablesUrl } from '../sql/mysql-url.js';
import { sqliteTableSettings } from '../sql/sqlite-settings.js';
import { readSqliteUrl } from '../sql/sqlite-url.js';
import { isAmqpUrl } from './config/foreign-names.js';
import { isMysqlUrl, isSqliteUrl } from './schemas.js';

/** What a URL names, without how it says so. */
interface Place {
  /** Two places are the same where these are, and where they have a host in common, if they have any. */
  readonly what: string;
  readonly hosts: readonly string[];
}

/**
 * Whether two URLs lead to the same queue, as far as it can be known: the same file, whatever path or link leads there; the same
 * database or vhost on the same addresses. A server that is reached by two addresses which no name has in common is not recognised.
 * Both URLs have been read by their drivers.
 */
export async function isSameQueue(one: string, other: string): Promise<boolean> {
  const [first, second] = [await placeOf(one), await placeOf(other)];
  if (first === null || second === null) return one === other;
  if (first.what !== second.what) return false;
  if (first.hosts.length === 0) return true;
  const addresses = new Set(await addressesOf(first.hosts));
  return (await addressesOf(second.hosts)).some((address) => addresses.has(address));
}

async function placeOf(url: string): Promise<Place | null> {
  if (isSqliteUrl(url)) return fileOf(url);
  if (isMysqlUrl(url)) {
    const { connection, tablePrefix = defaultTablePrefix } = readMysqlTablesUrl(url);
    const { host, port, database } = connection;
    return { what: JSON.stringify(['mysql', port, database, tablePrefix]), hosts: [host] };
  }
  if (!isAmqpUrl(url)) return null;
  const [{ settingsOf }, { plainPort, tlsPort }] = await Promise.all([
    import('../queue/amqp/options.js'),
    import('../queue/amqp/connection/settings.js'),
  ]);
  const { connection, prefix } = settingsOf(url);
  const { hosts, vhost, tls } = connection;
  // One broker listens on both.
  const ports = hosts.map(({ port }) => (tls !== null && port === tlsPort ? plainPort : port));
  return {
    what: JSON.stringify(['amqp', vhost, prefix]),
    hosts: hosts.map(({ host }, index) => `${host}\0${ports[index]}`),
  };
}

function fileOf(url: string): Place {
  const { leaseMs: _, ...options } = readSqliteUrl(url);
  const { path, tablePrefix } = sqliteTableSettings(options);
  const stats = statSync(path, { throwIfNoEntry: false });
  const file = stats === undefined ? resolve(path) : `${stats.dev} ${stats.ino}`;
  return { what: JSON.stringify(['sqlite', file, tablePrefix]), hosts: [] };
}

/** Every address of this machine's loopback is one. */
async function addressesOf(hosts: readonly string[]): Promise<readonly string[]> {
  const found = hosts.map(async (host) => {
    const [name = '', port = ''] = host.split('\0');
    const addresses = await lookup(name, { all: true }).catch(() => [{ address: name.toLowerCase() }]);
    return addresses.map(({ address }) => `${/^(127\.|::1$)/.test(address) ? 'loopback' : address} ${port}`);
  });
  return (await Promise.all(found)).flat();
}
