import { canInstall, install } from './apt.js';
import { hasDocker } from './docker.js';
import { programIn } from './local-programs.js';
import { newestRoot } from './newest-root.js';
import { familyOf, isVersion, versionOf, type WantedServer } from './server-name.js';
import type { Source } from './source.js';

/** In this order: URL, Docker, programs of this machine, apt, the newest in a root of their own. Rejects when a server that must be had cannot. */
export async function findSource(wanted: WantedServer, environment: NodeJS.ProcessEnv): Promise<Source> {
  if (wanted.url !== null) return { kind: 'given', url: wanted.url };
  if (await hasDocker()) return { kind: 'docker', image: wanted.name };
  const here = onMachine(wanted);
  if (here !== null) return here;

  const reasons: string[] = [];
  for (const attempt of [fromApt, fromNewestRoot]) {
    try {
      const source = await attempt(wanted, environment);
      if (source !== null) return source;
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  const why = reasons.join('; ') || 'neither Docker nor a program of this version';
  if (wanted.need === 'optional') return { kind: 'missing', why };
  throw new Error(`${wanted.name} is needed and cannot be had (${why}). ${choices(wanted)}`);
}

function onMachine(wanted: WantedServer, root = '/'): Source | null {
  const program = programIn(root, familyOf(wanted.name));
  if (program === null) return null;
  const fits = wanted.need === 'machine' || isVersion(program.version, versionOf(wanted.name));
  return fits ? { kind: 'local', program } : null;
}

async function fromNewestRoot(wanted: WantedServer, environment: NodeJS.ProcessEnv): Promise<Source | null> {
  if (familyOf(wanted.name) === 'mariadb') return null;
  return onMachine(wanted, await newestRoot(environment));
}

async function fromApt(wanted: WantedServer): Promise<Source | null> {
  if (wanted.need === 'optional' || !canInstall()) return null;
  await install(familyOf(wanted.name), wanted.need === 'machine' ? null : versionOf(wanted.name));
  return onMachine(wanted);
}

function choices({ name }: WantedServer): string {
  const variable = { mariadb: 'MARIADB', mysql: 'MYSQL', rabbitmq: 'AMQP' }[familyOf(name)];
  return [
    `Set SIGNALBOX_TEST_${variable}_URL to a server`,
    'or start Docker',
    `or install ${familyOf(name)} on this machine`,
    'or, on Debian or Ubuntu, run the tests as root, who installs it',
    'or name others in SIGNALBOX_TEST_SERVERS.',
  ].join(', ');
}
