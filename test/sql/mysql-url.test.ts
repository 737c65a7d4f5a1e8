import { expect, test } from 'vitest';
import { Refusal } from '../../src/queue/driver.js';
import { readMysqlTablesUrl, readMysqlUrl } from '../../src/sql/mysql-url.js';

test('a URL names host, port, user, password, database and options', () => {
  const { connection, options } = readMysqlUrl(
    'mysql://app:p%40ss%2Fword@db.example.org:3307/builds?tablePrefix=q_&x=1',
  );

  expect(connection).toEqual({
    host: 'db.example.org',
    port: 3307,
    user: 'app',
    password: 'p@ss/word',
    database: 'builds',
  });
  expect([...options]).toEqual([
    ['tablePrefix', 'q_'],
    ['x', '1'],
  ]);
});

test('the port is 3306 unless named, mariadb: is mysql:, and an IPv6 address loses its brackets', () => {
  const { connection } = readMysqlUrl('mariadb://app@[::1]/builds');

  expect(connection).toMatchObject({ host: '::1', port: 3306, user: 'app', password: '' });
});

test.each([
  ['postgres://app:hunter2@db/builds', 'is none of MySQL'],
  ['hunter2', 'is none of MySQL'],
  ['mysql://app:hunter2@db', 'names no database'],
  ['mysql://app:hunter2@db/', 'names no database'],
  ['mysql://app:hunter2@db/one/two', 'names no database, or more than one'],
  ['mysql:///builds', 'names no host'],
  ['mysql://app:hunter2%zz@db/builds', 'has a % that begins no escape'],
  ['mysql://app:hunter2@db/builds#x', 'has a #'],
  ['mysql://app:hunter2@db:99999/builds', 'its port is none'],
  ['mysql://app:hunter2#@db/builds', 'a special character stands in it'],
  ['mysql://app:hunter2@db:0/builds', 'names port 0'],
  ['mysql://app:hunter2@db/builds?a=1&a=2', 'has the option "a" twice'],
])('what is no such URL is refused without showing it: %s', (url, what) => {
  const read = (): unknown => readMysqlUrl(url);

  expect(read).toThrow(Refusal);
  expect(read).toThrow(what);
  expect(read).not.toThrow(/hunter2/);
});

test('who uses the tables alone reads their prefix, whether to make them, and TLS, past the options of the queue', () => {
  expect(readMysqlTablesUrl('mysql://db/b?tablePrefix=q_&createTables=false&ssl=true&leaseMs=1&connections=2')).toEqual(
    {
      connection: { host: 'db', port: 3306, user: '', password: '', database: 'b', ssl: { rejectUnauthorized: true } },
      tablePrefix: 'q_',
      createTables: false,
    },
  );
  expect(readMysqlTablesUrl('mysql://db/b?ssl=false')).toEqual({
    connection: { host: 'db', port: 3306, user: '', password: '', database: 'b' },
    tablePrefix: undefined,
    createTables: undefined,
  });
});

test.each([
  ['mysql://app:hunter2@db/b?tableprefix=q_', 'has an unknown option "tableprefix"'],
  ['mysql://app:hunter2@db/b?tablePrefix=Q', 'the table prefix "Q" has to be'],
  ['mysql://app:hunter2@db/b?createTables=1', '"createTables" of the URL is neither true nor false'],
  ['mysql://app:hunter2@db/b?ssl=', '"ssl" of the URL is neither true nor false'],
])('an option that cannot be is refused: %s', (url, what) => {
  expect(() => readMysqlTablesUrl(url)).toThrow(what);
  expect(() => readMysqlTablesUrl(url)).not.toThrow(/hunter2/);
});
