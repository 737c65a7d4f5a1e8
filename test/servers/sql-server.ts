import { join } from 'node:path';
import { freePort } from './free-port.js';
import { LocalControl } from './local-control.js';
import { commandOf, seenBy } from './program.js';
import type { StartOptions } from './server.js';
import { ServerProcess } from './server-process.js';
import { asUser, makeDatadir, type SqlProgram } from './sql-program.js';
import type { StartedLocally } from './started-locally.js';

/** Starts mysqld or mariadbd on a free port, its files in `folder`. */
export async function startSqlServer(
  program: SqlProgram,
  folder: string,
  { settings = {} }: StartOptions,
): Promise<StartedLocally> {
  const port = await freePort();
  await makeDatadir(program, folder);
  const seen = (...path: string[]): string => seenBy(program, folder, ...path);
  const argv = [
    program.family === 'mariadb' ? 'mariadbd' : 'mysqld',
    '--no-defaults',
    ...asUser(),
    `--datadir=${seen('data')}`,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    `--socket=${seen('socket')}`,
    `--pid-file=${seen('pid')}`,
    // What a commit promises is what is tested: it is on disk when the server says so.
    '--innodb-flush-log-at-trx-commit=1',
    '--innodb-buffer-pool-size=256M',
    ...(program.family === 'mysql' ? ['--mysqlx=OFF', '--secure-file-priv=NULL'] : []),
    ...Object.entries(settings).map(([name, value]) => `--${name}=${value}`),
  ];
  const url = `mysql://root@127.0.0.1:${port}/`;
  const control = new LocalControl(
    url,
    () => new ServerProcess(commandOf(program, folder, argv), {}, join(folder, 'log')),
  );
  const version = await control.startAndGreet();
  return { url, port, version, control, rabbitNode: null, helpers: [] };
}
