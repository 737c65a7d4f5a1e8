import { execFile } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { systemEnvironment } from './program.js';
import type { ServerFamily } from './server-name.js';

const run = promisify(execFile);

/** Debian and Ubuntu. MySQL itself is not in Debian's stable releases. */
const packages: Readonly<Record<ServerFamily, string>> = {
  mariadb: 'mariadb-server-core',
  mysql: 'mysql-server-core',
  rabbitmq: 'rabbitmq-server',
};

/** Asked by the packages before they start their service: 101 says that they must not. */
const policy = '/usr/sbin/policy-rc.d';

export function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync('/etc/debian_version');
}

/** Installs the distribution's server without starting its service. Rejects with what apt said. */
export async function install(family: ServerFamily): Promise<void> {
  console.error(`installing ${packages[family]} with apt …`);
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await apt('update');
    await apt('install', '-y', '--no-install-recommends', packages[family]);
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}

async function apt(...args: readonly string[]): Promise<void> {
  // The settings of the machine may name a proxy in the environment.
  const env = { ...process.env, ...systemEnvironment(), DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=300', ...args], {
    env,
    timeout: 600_000,
    maxBuffer: 2 ** 26,
  });
}
