import { execFile } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { systemEnvironment } from './program.js';
import { isVersion, type ServerFamily } from './server-name.js';

const run = promisify(execFile);

/** Debian and Ubuntu. MySQL itself is not in Debian's stable releases. */
const packages: Readonly<Record<ServerFamily, readonly [server: string, ...others: string[]]>> = {
  // Of the client, my_print_defaults, without which no data directory can be made.
  mariadb: ['mariadb-server-core', 'mariadb-client-core'],
  mysql: ['mysql-server-core'],
  rabbitmq: ['rabbitmq-server'],
};

/** Asked by the packages before they start their service: 101 says that they must not. */
const policy = '/usr/sbin/policy-rc.d';

/** Once per run: it takes 5 s. */
let updated: Promise<string> | null = null;

export function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync('/etc/debian_version');
}

/** Installs the distribution's server without starting its service. Rejects with what apt said, or when its version is not the one asked for. */
export async function install(family: ServerFamily, version: string | null): Promise<void> {
  const [server] = packages[family];
  updated ??= apt('apt-get', 'update');
  await updated;
  const candidate = await candidateOf(server);
  if (version !== null && !isVersion(candidate, version)) {
    throw new Error(`apt has ${server} ${candidate || 'in no version'}, not ${version}`);
  }
  console.error(`installing ${packages[family].join(' and ')} with apt …`);
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await apt('apt-get', 'install', '-y', '--no-install-recommends', ...packages[family]);
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}

/** `10.11.14-0+deb12u2` of `1:10.11.14-0+deb12u2`; empty when apt knows none. */
async function candidateOf(name: string): Promise<string> {
  const said = await apt('apt-cache', 'policy', name);
  return /Candidate: (?:\d+:)?(\d\S*)/.exec(said)?.[1] ?? '';
}

async function apt(file: string, ...args: readonly string[]): Promise<string> {
  // Its own settings may be in the environment: a proxy, certificates.
  const env = { ...process.env, ...systemEnvironment(), DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, timeout: 600_000, maxBuffer: 2 ** 26 };
  const { stdout } = await run(file, ['-q', '-o', 'DPkg::Lock::Timeout=300', ...args], options);
  return stdout;
}
