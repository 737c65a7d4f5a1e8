/** What a server speaks and how it is started. */
export type ServerFamily = 'mariadb' | 'mysql' | 'rabbitmq';

/** Family and version, written as Docker writes its images: `mariadb:10.11`, `rabbitmq:4`. */
export type ServerName = `${ServerFamily}:${string}`;

export interface WantedServer {
  readonly name: ServerName;
  /** Where it is, when the environment says so; else it is started. */
  readonly url: string | null;
  /** `required`: tests fail without it. `machine`: so too, but of any version. `optional`: left out by name where it cannot be had. */
  readonly need: 'required' | 'machine' | 'optional';
}

const urlVariables: Readonly<Record<ServerFamily, string>> = {
  mariadb: 'SIGNALBOX_TEST_MARIADB_URL',
  mysql: 'SIGNALBOX_TEST_MYSQL_URL',
  rabbitmq: 'SIGNALBOX_TEST_AMQP_URL',
};

/** What Debian 12 installs, and the newest: from Docker, or from a root file system of their own. */
const defaults: readonly WantedServer[] = [
  { name: 'mariadb:10.11', url: null, need: 'machine' },
  { name: 'mysql:9', url: null, need: 'optional' },
  { name: 'rabbitmq:3.10', url: null, need: 'machine' },
  { name: 'rabbitmq:4', url: null, need: 'optional' },
];

/**
 * The servers that tests run on. `SIGNALBOX_TEST_SERVERS=mysql:8.0,rabbitmq:3.13` asks for these and no other.
 * A URL variable of a family (several URLs are parted by spaces) takes the place of all servers of that family.
 */
export function wantedServers(environment: Readonly<Record<string, string | undefined>>): readonly WantedServer[] {
  const asked = words(environment.SIGNALBOX_TEST_SERVERS, /[\s,]+/).map(named);
  const given = (Object.keys(urlVariables) as ServerFamily[]).flatMap((family) =>
    words(environment[urlVariables[family]], /\s+/).map((url) => ({
      name: givenName(family, url),
      url,
      need: 'required' as const,
    })),
  );
  const elsewhere = new Set(given.map(({ name }) => familyOf(name)));
  const started = asked.length > 0 ? asked : defaults;
  return [...given, ...started.filter(({ name }) => !elsewhere.has(familyOf(name)))];
}

export function familyOf(name: ServerName): ServerFamily {
  return name.slice(0, name.indexOf(':')) as ServerFamily;
}

/** `10.11` of `mariadb:10.11`. */
export function versionOf(name: ServerName): string {
  return name.slice(name.indexOf(':') + 1);
}

/** Whether `9.7.4-2` is a `9.7`. */
export function isVersion(found: string, wanted: string): boolean {
  return found === wanted || found.startsWith(`${wanted}.`) || found.startsWith(`${wanted}-`);
}

/** Whether it is written as `mariadb:10.11`. */
export function isServerName(name: string): name is ServerName {
  return /^(mariadb|mysql|rabbitmq):\d[\w.-]*$/.test(name);
}

function named(name: string): WantedServer {
  if (!isServerName(name)) {
    throw new Error(
      `SIGNALBOX_TEST_SERVERS: "${name}" is no server; write them as mariadb:10.11, mysql:8.4 or rabbitmq:3.13`,
    );
  }
  return { name, url: null, need: 'required' };
}

/** Without user and password: it goes into the titles of tests. */
function givenName(family: ServerFamily, url: string): ServerName {
  return `${family}:${/@?([^@/?]+)(?:[/?]|$)/.exec(url.replace(/^[a-z]+:\/\//, ''))?.[1] ?? 'given'}`;
}

function words(text: string | undefined, separator: RegExp): readonly string[] {
  return (text ?? '').split(separator).filter((word) => word !== '');
}
