import { createDatabase } from './create-database.js';
import { createVhost } from './create-vhost.js';
import { runInContainer } from './docker.js';
import type { ServerFacts } from './facts.js';
import { rabbitmqctl } from './rabbit-node.js';
import type { Server, ServerControl } from './server.js';
import { familyOf } from './server-name.js';

/** The server that the facts are about. `end` is called once. */
export function serverOf(facts: ServerFacts, control: ServerControl | null, end: () => Promise<void>): Server {
  const { name, version, url, host, port } = facts;
  const tool = toolOf(facts);
  let ended: Promise<void> | null = null;
  const stop = (): Promise<void> => {
    ended ??= end();
    return ended;
  };
  return {
    name,
    version,
    url,
    host,
    port,
    control,
    rabbitmqctl: tool,
    async freshUrl() {
      if (familyOf(name) !== 'rabbitmq') return createDatabase(url);
      return tool === null ? url : createVhost(url, tool);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function toolOf({ name, node, containerId }: ServerFacts): Server['rabbitmqctl'] {
  if (familyOf(name) !== 'rabbitmq') return null;
  if (node !== null) return (...args) => rabbitmqctl(node, args);
  if (containerId !== null) return (...args) => runInContainer(containerId, ['rabbitmqctl', '--quiet', ...args]);
  return null;
}
