import type { ContainerRuntimeClient } from 'testcontainers';
import { freePort } from './free-port.js';
import { firstHandshake } from './handshake.js';
import { quickDeadLetters } from './rabbit-server.js';
import type { ServerControl, StartOptions } from './server.js';
import { familyOf, type ServerFamily, type ServerName } from './server-name.js';

/** A started container. */
export interface StartedContainer {
  readonly id: string;
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly version: string;
  readonly control: ServerControl;
  readonly stop: () => Promise<void>;
}

const startDeadlineMs = 120_000;

const ports: Readonly<Record<ServerFamily, number>> = { mariadb: 3306, mysql: 3306, rabbitmq: 5672 };

/** Root without a password, from any address: the container's port is bound on this machine only for the tests. */
const environments: Readonly<Record<ServerFamily, Record<string, string>>> = {
  mariadb: { MARIADB_ALLOW_EMPTY_ROOT_PASSWORD: '1' },
  mysql: { MYSQL_ALLOW_EMPTY_PASSWORD: '1', MYSQL_ROOT_HOST: '%' },
  rabbitmq: {},
};

export async function hasDocker(): Promise<boolean> {
  return (await client()) !== null;
}

/** testcontainers removes the container when this process is gone, however it ends. */
export async function startContainer(
  name: ServerName,
  { settings = {}, advancedConfig = quickDeadLetters }: StartOptions,
): Promise<StartedContainer> {
  const { GenericContainer } = await import('testcontainers');
  const family = familyOf(name);
  const lines = Object.entries(settings);
  // A port that Docker chooses would be another one after a restart.
  const container = new GenericContainer(name)
    .withExposedPorts({ container: ports[family], host: await freePort() })
    .withEnvironment(environments[family])
    .withStartupTimeout(startDeadlineMs);
  if (family === 'rabbitmq') {
    const text = lines.map(([key, value]) => `${key} = ${value}\n`).join('');
    container.withCopyContentToContainer([
      { content: text, target: '/etc/rabbitmq/conf.d/90-signalbox.conf' },
      { content: advancedConfig, target: '/etc/rabbitmq/advanced.config' },
    ]);
  } else {
    container.withCommand(lines.map(([key, value]) => `--${key}=${value}`));
  }
  const started = await container.start();
  const [host, port, id] = [started.getHost(), started.getMappedPort(ports[family]), started.getId()];
  const url = family === 'rabbitmq' ? `amqp://guest:guest@${host}:${port}/` : `mysql://root@${host}:${port}/`;
  const version = await firstHandshake(url, { deadlineMs: startDeadlineMs, ended: () => null });
  return {
    id,
    url,
    host,
    port,
    version,
    control: await controlOf(id, url),
    stop: async () => void (await started.stop()),
  };
}

/** Runs a command in a container and answers what it printed. */
export async function runInContainer(id: string, command: string[]): Promise<string> {
  const docker = await connected();
  const { output, exitCode } = await docker.container.exec(docker.container.getById(id), command);
  if (exitCode !== 0) throw new Error(`${command.slice(0, 3).join(' ')} failed in its container: ${output.trim()}`);
  return output;
}

async function controlOf(id: string, url: string): Promise<ServerControl> {
  const container = (await connected()).container.getById(id);
  const end = async (signal: string): Promise<void> => {
    if (!(await container.inspect()).State.Running) return;
    const gone = container.wait();
    await container.kill({ signal });
    await gone;
  };
  const control: ServerControl = {
    pid: null,
    kill9: () => end('SIGKILL'),
    terminate: () => end('SIGTERM'),
    async start() {
      if (!(await container.inspect()).State.Running) await container.start();
      await firstHandshake(url, { deadlineMs: startDeadlineMs, ended: () => null });
    },
    async restart() {
      await control.kill9();
      await control.start();
    },
  };
  return control;
}

async function connected(): Promise<ContainerRuntimeClient> {
  const docker = await client();
  if (docker === null) throw new Error('Docker was there before and does not answer any more');
  return docker;
}

/** Loading testcontainers takes 0.3 s; without Docker its client rejects within 2 ms. */
async function client(): Promise<ContainerRuntimeClient | null> {
  const { getContainerRuntimeClient } = await import('testcontainers');
  return getContainerRuntimeClient().catch(() => null);
}
