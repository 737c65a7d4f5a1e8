import { startContainer } from './docker.js';
import { handshake } from './handshake.js';
import type { StartOptions } from './server.js';
import type { ServerName } from './server-name.js';
import type { Source } from './source.js';
import { startLocally } from './start-locally.js';
import type { StartedServer } from './started-server.js';

export async function startFromSource(name: ServerName, source: Source, options: StartOptions): Promise<StartedServer> {
  switch (source.kind) {
    case 'missing':
      throw new Error(`${name} is not available: ${source.why}`);
    case 'given':
      return given(name, source.url, options);
    case 'docker':
      return contained(name, options);
    case 'local':
      return startLocally(name, source.program, options);
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
