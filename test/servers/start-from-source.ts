import { startContainer } from './docker.js';
import type { ServerFacts } from './facts.js';
import { handshake } from './handshake.js';
import { startRabbitServer } from './rabbit-server.js';
import type { ServerControl, StartOptions } from './server.js';
import { makeServerFolder, removeFolder } from './server-folder.js';
import type { ServerName } from './server-name.js';
import type { Source } from './source.js';
import { startSqlServer } from './sql-server.js';
import type { StartedLocally } from './started-locally.js';

export interface StartedServer {
  readonly facts: ServerFacts;
  /** Null for a server that was given. */
  readonly control: ServerControl | null;
  readonly stop: () => Promise<void>;
}

/** How often a server is started again because somebody took its port first. */
const portAttempts = 4;

export async function startFromSource(name: ServerName, source: Source, options: StartOptions): Promise<StartedServer> {
  switch (source.kind) {
    case 'missing':
      throw new Error(`${name} is not available: ${source.why}`);
    case 'given':
      return given(name, source.url, options);
    case 'docker':
      return contained(name, options);
    case 'local':
      return local(name, source, options);
  }
}

async function given(name: ServerName, url: string, options: StartOptions): Promise<StartedServer> {
  if (options.settings !== undefined || options.advancedConfig !== undefined) {
    throw new Error(`${name} was given by its URL: it cannot be started with other settings`);
  }
  const { hostname, port, protocol } = new URL(url);
  const version = await handshake(url);
  const facts = {
    name,
    version,
    url,
    host: hostname,
    port: Number(port || { 'mysql:': 3306, 'mariadb:': 3306, 'amqps:': 5671 }[protocol] || 5672),
    node: null,
    containerId: null,
  };
  return { facts, control: null, stop: async () => undefined };
}

async function contained(name: ServerName, options: StartOptions): Promise<StartedServer> {
  const { id, url, host, port, version, control, stop } = await startContainer(name, options);
  return { facts: { name, version, url, host, port, node: null, containerId: id }, control, stop };
}

async function local(
  name: ServerName,
  { program }: Source & { readonly kind: 'local' },
  options: StartOptions,
): Promise<StartedServer> {
  const folder = makeServerFolder();
  try {
    const started = await startOnFreePort(() =>
      program.family === 'rabbitmq'
        ? startRabbitServer(program, folder, options)
        : startSqlServer(program, folder, options),
    );
    const { url, port, version, control, rabbitNode } = started;
    return {
      facts: { name, version, url, host: '127.0.0.1', port, node: rabbitNode, containerId: null },
      control,
      stop: async () => {
        await endAll(started);
        removeFolder(folder);
      },
    };
  } catch (error) {
    removeFolder(folder);
    throw error;
  }
}

async function startOnFreePort(start: () => Promise<StartedLocally>): Promise<StartedLocally> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      if (attempt === portAttempts || !/already in use|eaddrinuse/i.test(String(error))) throw error;
    }
  }
}

async function endAll({ control, helpers }: StartedLocally): Promise<void> {
  await control.kill9();
  await Promise.all(helpers.map((helper) => helper.end('SIGKILL')));
}
