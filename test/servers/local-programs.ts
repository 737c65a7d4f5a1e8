import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Program, systemEnvironment, whichIn } from './program.js';
import type { ServerFamily } from './server-name.js';
import type { SqlProgram } from './sql-program.js';

export interface RabbitProgram extends Program {
  readonly family: 'rabbitmq';
}

/** The programs of a family in a root file system; null when it has none. */
export function programIn(root: string, family: ServerFamily): SqlProgram | RabbitProgram | null {
  return family === 'rabbitmq' ? rabbitIn(root) : sqlIn(root, family);
}

function sqlIn(root: string, family: 'mysql' | 'mariadb'): SqlProgram | null {
  const [name, ...others] = family === 'mysql' ? ['mysqld'] : ['mariadbd', 'mariadb-install-db', 'my_print_defaults'];
  if (name === undefined || [name, ...others].some((program) => whichIn(root, program) === null)) return null;
  // MariaDB's packages call theirs mysqld too.
  const said = printedBy(root, name);
  const version = /Ver (\d+\.\d+\.\d+)/.exec(said)?.[1];
  return version !== undefined && /mariadb/i.test(said) === (family === 'mariadb') ? { family, root, version } : null;
}

function printedBy(root: string, name: string): string {
  const [file = name, ...args] = root === '/' ? [name] : ['chroot', root, name];
  try {
    return execFileSync(file, [...args, '--version'], { encoding: 'utf8', env: systemEnvironment(), timeout: 20_000 });
  } catch {
    // Without its libraries, or without the right to enter the root: a program that cannot be run is none.
    return '';
  }
}

/** `rabbitmqctl version` would start an Erlang system for 1 s to say what the folder is called. */
function rabbitIn(root: string): RabbitProgram | null {
  if (whichIn(root, 'erl') === null) return null;
  try {
    const folders = readdirSync(join(root, 'usr/lib/rabbitmq/lib'));
    const version = folders.map((folder) => /^rabbitmq_server-(.+)$/.exec(folder)?.[1]).find((found) => found);
    return version === undefined ? null : { family: 'rabbitmq', root, version };
  } catch {
    return null;
  }
}
